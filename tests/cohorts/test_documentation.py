"""The examples of docs/cohorts.md run, and what it says about sources is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cohorts.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(example: str) -> None:
    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})


def test_every_source_has_its_line() -> None:
    from leakaudit.plugins import Kind, load, names

    ours = [n for n in names(Kind.COHORT) if load(Kind.COHORT, n).__module__.startswith("leaka")]
    for name in ours:
        assert f"| `{name}` |" in PAGE.read_text(encoding="utf-8")
