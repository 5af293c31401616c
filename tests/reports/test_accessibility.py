"""axe-core over the page: no serious violation, for what a machine can tell.

axe-core is another project's, under another licence, and is not kept here. `.ci/run` fetches it;
so does `npm pack axe-core --pack-destination .cache/axe`.
"""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from browser import Page
from example_records import example_record
from gate_records import TODAY, budget, held
from leakaudit.reports import HtmlReport

from leakaudit.policy import printed
from leakaudit.record import Record

CACHE = Path(os.environ.get("LEAKAUDIT_AXE", Path(__file__).parents[2] / ".cache" / "axe"))
GRAVE = {"serious", "critical"}
RUN = (
    "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify("
    "found.violations.map(v => ({id: v.id, impact: v.impact, help: v.help,"
    " nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))}))))"
)


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker's script."""
    found = sorted(CACHE.glob("axe-core-*.tgz"))
    if not found:
        pytest.skip(f"axe-core is not in {CACHE}: npm pack axe-core --pack-destination {CACHE}")
    with tarfile.open(found[-1]) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def violations(page: Page, axe: str) -> list[dict[str, Any]]:
    page.call("Runtime.evaluate", expression=axe)
    answer = page.call("Runtime.evaluate", expression=RUN, awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in answer, answer
    found: list[dict[str, Any]] = json.loads(answer["result"]["value"])
    return [violation for violation in found if violation["impact"] in GRAVE]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_serious_violation(
    browser: str, axe: str, record: Record, run_folder: Path, tmp_path: Path,
    scheme: str, width: int,
) -> None:  # fmt: skip
    policy = printed(held(tmp_path, record, budget(name="images", max=0.5)), TODAY)
    before = example_record(12, title="Last year")
    file = HtmlReport().render(record, run_folder, before=before, policy=policy)
    with Page(browser, tmp_path / "profile") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=width < 500,
        )  # fmt: skip
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        page.open(file.as_uri())
        assert violations(page, axe) == []


def test_hostile_names_break_nothing(
    browser: str, axe: str, hostile_record: Record, tmp_path: Path
) -> None:
    file = HtmlReport().render(hostile_record, tmp_path)
    with Page(browser, tmp_path / "profile") as page:
        page.open(file.as_uri())
        assert violations(page, axe) == []
