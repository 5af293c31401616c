"""Every registered metric says how it is read."""

import subprocess
import sys

import pytest

from leakaudit.metrics import Direction, Metric
from leakaudit.plugins import Kind, load, names


@pytest.mark.parametrize("name", names(Kind.METRIC))
def test_facts(name):
    plugin = load(Kind.METRIC, name)
    assert issubclass(plugin, Metric)
    assert plugin.name == name
    metric = plugin()
    assert metric.title
    assert isinstance(metric.direction, Direction)
    for sentence in (metric.meaning, metric.remedy):
        assert sentence.endswith(".")
        assert len(sentence) > 30
    assert metric.source
    low, high = metric.range
    assert low < high
    for fact in (metric.chance(50), metric.ceiling(50)):
        assert fact is None or low <= fact <= high
    if metric.chance(50) is not None and metric.ceiling(50) is not None:
        assert metric.direction.sign * (metric.ceiling(50) - metric.chance(50)) > 0
    assert eval(repr(metric).replace(plugin.__name__, "plugin"), {"plugin": plugin}) == metric


def test_metrics_and_statistics_load_without_torch():
    code = "import sys, leakaudit.metrics, leakaudit.statistics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
