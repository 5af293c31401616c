"""`leakaudit compare` and `report` as typed: what changed, bad records, folders that refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Typed
from example_records import PARTIES, example_record

from leakaudit import errors
from leakaudit.plugins import Kind, build
from leakaudit.record import canonical, write_record

HOSTILE = "<script>alert(1)</script> \x1b[31m\u202e`#set`" + "long" * 2500


def two(folder: Path) -> tuple[Path, Path]:
    for name, patients in (("before", 10), ("now", 12)):
        (folder / name).mkdir()
        write_record(example_record(patients, title=name), folder / name)
    return folder / "before", folder / "now"


def test_what_changed_is_told_and_written(typed: Typed, tmp_path: Path) -> None:
    before, now = two(tmp_path)
    said = typed("compare", before, now, "--out", tmp_path / "changes.html")
    assert said.code == errors.EXIT_OK
    assert "30 answers" in said.out
    assert (tmp_path / "changes.html").is_file()
    assert str(tmp_path / "changes.html") in said.out


def test_an_audit_and_itself(typed: Typed, tmp_path: Path) -> None:
    before, _ = two(tmp_path)
    said = typed("compare", before, before / "audit.json")
    assert said.code == errors.EXIT_OK
    assert "What changed" not in said.out
    assert "the same" in said.out


def test_an_ending_that_no_report_writes(typed: Typed, tmp_path: Path) -> None:
    before, now = two(tmp_path)
    said = typed("compare", before, now, "--out", tmp_path / "changes.docx")
    assert said.code == errors.EXIT_USAGE
    assert ".html" in said.err
    assert not (tmp_path / "changes.docx").exists()


def test_hostile_names_drive_no_terminal(typed: Typed, tmp_path: Path) -> None:
    before, _ = two(tmp_path)
    (tmp_path / "bad").mkdir()
    write_record(example_record(parties=(HOSTILE, *PARTIES[1:])), tmp_path / "bad")
    said = typed("compare", before, tmp_path / "bad")
    assert said.code == errors.EXIT_OK
    assert "\x1b[31m" not in said.out
    assert "\u202e" not in said.out


BROKEN = {
    "cut short": lambda text: text[: len(text) // 2],
    "of a newer schema": lambda text: canonical({**json.loads(text), "schema_version": "7.0"}),
    "edited by hand": lambda text: canonical({**json.loads(text), "title": "all is well"}),
    "with NaN": lambda text: text.replace('"threshold": 0.05', '"threshold": NaN', 1),
    "empty": lambda text: "",
}


@pytest.mark.parametrize("harm", BROKEN)
def test_a_broken_record_is_refused_in_one_message(typed: Typed, tmp_path: Path, harm: str) -> None:
    before, now = two(tmp_path)
    file = now / "audit.json"
    file.write_text(BROKEN[harm](file.read_text("utf-8")), "utf-8")
    for arguments in (("report", now), ("compare", before, now), ("compare", now, before)):
        said = typed(*arguments)
        assert said.code == errors.EXIT_USAGE, harm
        assert said.err.count("error:") == 1
        assert "Traceback" not in said.err
        assert "do:" in said.err
    assert not (now / "report.html").exists()


def test_without_the_pdf_engine_the_others_are_written(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = two(tmp_path)
    monkeypatch.setitem(sys.modules, "typst", None)
    said = typed("report", before)
    assert said.code == errors.EXIT_USAGE
    assert said.err.count("error:") == 1
    assert "typst" in said.err
    assert (before / "report.html").is_file()
    assert (before / "summary.md").is_file()
    assert not (before / "report.pdf").exists()


def test_a_folder_in_the_way_of_a_file(typed: Typed, tmp_path: Path) -> None:
    """What a read-only folder does, also where the tests run as root."""
    before, now = two(tmp_path)
    (before / "summary.md").mkdir()
    (tmp_path / "taken.html").mkdir()
    said = typed("report", before, "--only", "markdown")
    assert said.code == errors.EXIT_USAGE
    assert said.err.count("error:") == 1
    assert not list(before.glob(".*.partial"))
    said = typed("compare", before, now, "--out", tmp_path / "taken.html")
    assert said.code == errors.EXIT_USAGE
    assert said.err.count("error:") == 1


@pytest.mark.parametrize("name", ["html", "pdf", "markdown"])
def test_every_report_compares(tmp_path: Path, name: str) -> None:
    report = build(Kind.REPORT, name, {})
    before, now = example_record(10, title="Last year"), example_record(10, title="Now")
    target = tmp_path / f"changes{Path(report.file_name).suffix}"
    assert report.compare(before, now, target) == target
    first = target.read_bytes()
    report.compare(before, now, target)
    assert target.read_bytes() == first
    if name != "pdf":
        text = first.decode()
        assert "no defense" in text
        assert "30 the same" in text


@pytest.mark.parametrize("command", [("report",), ("compare",), ("schema", "record")])
def test_torch_stays_out(tmp_path: Path, command: tuple[str, ...]) -> None:
    before, now = two(tmp_path)
    runs = {"report": [before, "--only", "html"], "compare": [before, now], "schema": []}
    words = [*command, *map(str, runs[command[0]])]
    script = (
        "import sys; from leakaudit.cli.app import execute; code = execute(sys.argv[1:]);"
        "sys.exit(code or bool({'torch', 'monai', 'pandas'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script, *words], check=True, timeout=240,
                   stdout=subprocess.DEVNULL)  # fmt: skip
