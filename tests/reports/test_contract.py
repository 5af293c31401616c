"""What every renderer must do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from example_records import example_record

from leakaudit.errors import EnvironmentProblemError
from leakaudit.plugins import Kind, build, names
from leakaudit.record import Record
from leakaudit.record.report import Report

RENDERERS = ("html", "markdown", "pdf")


def test_the_three_are_registered() -> None:
    assert set(RENDERERS) <= set(names(Kind.REPORT))


@pytest.fixture(params=RENDERERS)
def report(request: pytest.FixtureRequest) -> Report:
    built: Report = build(Kind.REPORT, request.param, {})
    return built


def test_same_record_same_bytes(
    report: Report, record: Record, run_folder: Path, tmp_path: Path
) -> None:
    first = report.render(record, run_folder)
    assert first == run_folder / report.file_name
    before = first.read_bytes()
    assert report.render(record, run_folder).read_bytes() == before
    assert not list(run_folder.glob(".*partial"))


def test_the_clock_is_not_read(tmp_path: Path) -> None:
    """Another process, another hash seed, another time zone: the same bytes."""
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from example_records import example_record\n"
        "from leakaudit.plugins import Kind, build\n"
        f"for name in {RENDERERS!r}:\n"
        "    build(Kind.REPORT, name, {}).render(example_record(), Path(sys.argv[1]))\n"
    )
    written = []
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", script, str(folder), str(Path(__file__).parents[1])],
            check=True,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PATH": ""},
            timeout=120,
        )
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert set(written[0]) == {"report.html", "report.pdf", "summary.md"}
    assert written[0] == written[1]


def test_an_unwritable_folder_is_one_message(report: Report, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblemError, match="do:"):
        report.render(example_record(), tmp_path / "missing")


def test_hostile_text_renders(report: Report, hostile_record: Record, tmp_path: Path) -> None:
    assert report.render(hostile_record, tmp_path).stat().st_size > 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": (), "verdicts": (), "controls": (), "utility": (), "costs": ()},
        {"defenses": ()},
        {"adversaries": ()},
        {"metrics": (), "attacks": (), "dependence": ()},
    ],
    ids=["nothing measured", "no setting", "no actor", "no description"],
)
def test_a_poor_record_renders(
    report: Report, changes: dict[str, tuple[()]], tmp_path: Path
) -> None:
    assert report.render(example_record(changes=changes), tmp_path).is_file()


def test_one_patient_renders(report: Report, tmp_path: Path) -> None:
    assert report.render(example_record(patients=1, seeds=1), tmp_path).is_file()


def test_an_earlier_audit_adds_section_13(
    report: Report, record: Record, run_folder: Path, tmp_path: Path
) -> None:
    before = example_record(patients=12, title="Last year")
    without = report.render(record, run_folder).read_bytes()
    assert report.render(record, run_folder, before=before).read_bytes() != without


def test_torch_is_not_imported() -> None:
    script = "import sys, leakaudit.reports; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_two_thousand_patients(tmp_path: Path) -> None:
    large = example_record(patients=2000)
    html: Report = build(Kind.REPORT, "html", {})
    markdown: Report = build(Kind.REPORT, "markdown", {})
    assert html.render(large, tmp_path).stat().st_size < 10_000_000
    assert markdown.render(large, tmp_path).stat().st_size < 1 << 20
