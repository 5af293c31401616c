"""`run`, `attack` and `report` around an audit that answers at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Typed
from example_records import example_record

from leakaudit import errors
from leakaudit.audit import run as audit
from leakaudit.audit.run import Outcome
from leakaudit.audit.runner import Tick
from leakaudit.cells.finished import CellFailure
from leakaudit.cli.running import parsed_change
from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.record import Record, read_record, write_record

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart.toml"
Change = Callable[[Outcome], Outcome]


class Audit:
    """Stands in for the real audit: writes a record, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.change: Change = lambda outcome: outcome
        self.computed = 5

    def run_audit(
        self, configuration: AuditConfiguration, given: Mapping[str, Any], out: Path, **rest: Any
    ) -> Outcome:
        self.asked = {"configuration": configuration, "given": given, "out": out, **rest}
        out.mkdir(parents=True, exist_ok=True)
        rest["watch"](Tick(5, 5, 1.0, 0.0, {}))
        record = example_record()
        write_record(record, out)
        return self.change(Outcome(record, out, self.computed, 5 - self.computed, (), None))

    def attack_trace(self, trace: Path, *arguments: Any, **rest: Any) -> Outcome:
        outcome = self.run_audit(*arguments, **rest)
        self.asked["trace"] = trace
        return outcome


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Audit:
    stand_in = Audit()
    monkeypatch.setattr(audit, "run_audit", stand_in.run_audit)
    monkeypatch.setattr(audit, "attack_trace", stand_in.attack_trace)
    return stand_in


def _with_verdicts(record: Record, *values: str) -> Record:
    verdicts = tuple(
        verdict.model_copy(update={"verdict": value})
        for verdict, value in zip(record.verdicts, values, strict=False)
    )
    return record.model_copy(update={"verdicts": verdicts})


def test_a_run_ends_with_its_files_and_verdicts(
    typed: Typed, stand_in: Audit, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    said = typed("run", QUICKSTART, "--out", out)
    assert said.code == 0, said.err
    for name in ("report.html", "report.pdf", "summary.md", "audit.json"):
        assert str(out / name) in said.out.splitlines()
        assert (out / name).is_file()
    assert "Computed: 5 cells." in said.out
    assert "leak shown" in said.out
    assert "5 of 5 cells" in said.err
    assert stand_in.asked["command"] == f"leakaudit run {QUICKSTART.name} --out 'a run'"


def test_what_is_odd_about_the_data_is_said(typed: Typed, stand_in: Audit, tmp_path: Path) -> None:
    said_in_record = "T1 and T2 are identical in P002: a copied channel"

    def odd(outcome: Outcome) -> Outcome:
        cohort = outcome.record.cohort.model_copy(update={"warnings": (said_in_record,)})
        record = outcome.record.model_copy(update={"cohort": cohort})
        write_record(record, outcome.folder)
        return replace(outcome, record=record)

    stand_in.change = odd
    said = typed("run", QUICKSTART, "--out", tmp_path)
    assert said.code == 0
    assert f"note on the data: {said_in_record}" in said.err
    for name in ("summary.md", "report.html"):
        assert said_in_record in (tmp_path / name).read_text(encoding="utf-8")


def test_quiet_and_no_report(typed: Typed, stand_in: Audit, tmp_path: Path) -> None:
    said = typed("run", QUICKSTART, "--out", tmp_path, "--quiet", "--no-report")
    assert said.code == 0
    assert not said.err
    assert not (tmp_path / "report.html").exists()
    assert stand_in.asked["command"].endswith(f"--out {tmp_path.name}"), "no folder in the record"


def test_overrides_reach_the_configuration(
    typed: Typed, stand_in: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = typed(
        "run", QUICKSTART, "--out", tmp_path, "--no-report", "--scheduler", "tcp://x:1",
        "--data", "slices.npz", "--set", "training.epochs=3", "--set", "title=my audit",
        "--set", "seeds=[4, 5]", "--set", "attacks.0.steps=7",
    )  # fmt: skip
    assert said.code == 0, said.err
    configuration = stand_in.asked["configuration"]
    assert configuration.training.epochs == 3
    assert configuration.title == "my audit"
    assert configuration.seeds == (4, 5)
    as_written, _ = read_configuration(QUICKSTART)
    assert configuration.attacks[0].settings == as_written.attacks[0].settings | {"steps": 7}
    assert configuration.cohort.settings["path"] == str(tmp_path / "slices.npz")
    assert stand_in.asked["scheduler"] == "tcp://x:1"
    assert "path" not in stand_in.asked["given"]["cohort"]
    assert "--set 'title=my audit'" in stand_in.asked["command"]
    assert "--data DATA_DIR" in stand_in.asked["command"]


def test_a_folder_open_to_others_is_told(typed: Typed, stand_in: Audit, tmp_path: Path) -> None:
    out = tmp_path / "shared"
    out.mkdir()
    out.chmod(0o755)
    assert "can be read by others" in typed("run", QUICKSTART, "--out", out, "--no-report").err
    out.chmod(0o700)
    assert "by others" not in typed("run", QUICKSTART, "--out", out, "--no-report").err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("training.epochs", "--set takes KEY=VALUE"),
        ("=3", "--set takes KEY=VALUE"),
        ("training..epochs=3", "--set takes KEY=VALUE"),
        ("training.epochs=0", "greater than 0"),
        ("training.epochs.x=0", "leads through tables"),
        ("attacks.9.steps=1", "numbered 0 to 1"),
        ("attacks.first.steps=1", "numbered 0 to 1"),
        ("trainin.epochs=3", "did you mean 'training'?"),
        ("training.epoch=3", "did you mean 'epochs'?"),
        ('adversaries=[{name="a", positon="server"}]', "did you mean 'position'?"),
        ("recording.epochs=lst", "see `leakaudit explain recording`"),
        ("split.parties=[]", "see `leakaudit explain split`"),
        ("split.party_levels=9", "error: configuration: split: party_levels is 9"),
        ("split.party_levels=9", "see `leakaudit explain split`"),
        ("groups.training=-1", "groups.training: Input should be greater than or equal to 0 or"),
        (
            "groups={training=0,auxiliary=1,validation=1}",
            "error: configuration: groups: at least one patient",
        ),
        ("seeds=[-1]", "see `leakaudit explain configuration`"),
        ("training.device=gpu", "must be `cpu`, `cuda`, or `cuda:` and a number"),
    ],
)
def test_a_wrong_change_is_one_message(
    typed: Typed, tmp_path: Path, change: str, expected: str
) -> None:
    said = typed("run", QUICKSTART, "--out", tmp_path, "--set", change)
    assert said.code == errors.EXIT_USAGE
    assert expected in said.err
    assert "Traceback" not in said.err


def test_values_are_toml_or_plain_text() -> None:
    assert parsed_change("a.b=1e-3") == ("a.b", 0.001)
    assert parsed_change("a=true") == ("a", True)
    assert parsed_change('a="1"') == ("a", "1")
    assert parsed_change("a=/some/where=x") == ("a", "/some/where=x")


def test_data_stands_in_for_a_variable_that_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEAKAUDIT_REAL_DATA", raising=False)
    lgg = QUICKSTART.with_name("lgg.toml")
    with pytest.raises(errors.ConfigurationError, match="LEAKAUDIT_REAL_DATA"):
        read_configuration(lgg)
    configuration, given = read_configuration(lgg, {"cohort.path": str(tmp_path)})
    assert configuration.cohort.settings["path"] == str(tmp_path)
    assert given["cohort"]["path"].startswith("${")


def test_a_trace_is_attacked(typed: Typed, stand_in: Audit, tmp_path: Path) -> None:
    said = typed("attack", tmp_path / "trace", QUICKSTART, "--out", tmp_path / "out", "--no-report")
    assert said.code == 0, said.err
    assert stand_in.asked["trace"] == tmp_path / "trace"
    assert stand_in.asked["command"].startswith("leakaudit attack trace ")


def test_a_repeated_run_has_nothing_to_do(typed: Typed, stand_in: Audit, tmp_path: Path) -> None:
    typed("run", QUICKSTART, "--out", tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    stand_in.computed = 0
    for _ in range(2):
        said = typed("run", QUICKSTART, "--out", tmp_path)
        assert said.code == 0
        assert "Nothing had to be done" in said.out
        assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written

    os.utime(tmp_path / "report.html", (1, 1))
    said = typed("run", QUICKSTART, "--out", tmp_path)
    assert "Nothing had to be done" not in said.out, "a report older than the record is stale"
    assert (tmp_path / "report.html").stat().st_mtime > 1

    (tmp_path / "report.pdf").unlink()
    said = typed("run", QUICKSTART, "--out", tmp_path)
    assert "Nothing had to be done" not in said.out
    assert (tmp_path / "report.pdf").is_file()


def _refused(outcome: Outcome) -> Outcome:
    return replace(outcome, refusal="one patient is not enough")


def _damaged(outcome: Outcome) -> Outcome:
    cell = CellFailure(TrainingId("none", 0), "shard x", errors.TraceError.exit_code)
    return replace(outcome, failures=(cell, cell))


def _failed(outcome: Outcome) -> Outcome:
    training = TrainingId("none", 0)
    return replace(
        outcome,
        failures=(
            CellFailure(training, "worker died"),
            CellFailure(AttackId(training, "curious-server", "inversion", True), "too dark"),
        ),
    )


def _verdicts(*values: str) -> Change:
    return lambda outcome: replace(outcome, record=_with_verdicts(outcome.record, *values))


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        (_refused, errors.EXIT_NO_VALID_VERDICT, "one patient is not enough"),
        (_failed, errors.EXIT_INTERNAL, "training none, seed 0: worker died"),
        (_failed, errors.EXIT_INTERNAL, "inversion by curious-server on shuffled pairs on"),
        (_failed, errors.EXIT_INTERNAL, "the same command tries the others again"),
        (_damaged, errors.EXIT_USAGE, "training none, seed 0 and 1 cell more: shard x"),
        (_verdicts(), errors.EXIT_NOTHING_TO_EVALUATE, ""),
        (_verdicts("not tested"), errors.EXIT_NOTHING_TO_EVALUATE, ""),
        (_verdicts("attack invalid", "not tested"), errors.EXIT_NO_VALID_VERDICT, ""),
        (_verdicts("attack invalid", "none shown"), errors.EXIT_OK, ""),
    ],
)
def test_exit_codes_of_outcomes(
    typed: Typed, stand_in: Audit, tmp_path: Path, change: Change, code: int, expected: str
) -> None:
    stand_in.change = change
    said = typed("run", QUICKSTART, "--out", tmp_path, "--no-report")
    assert said.code == code
    assert expected in said.err


def test_a_report_that_fails_does_not_stop_the_others(
    typed: Typed, stand_in: Audit, tmp_path: Path
) -> None:
    (tmp_path / "report.html").mkdir()
    said = typed("run", QUICKSTART, "--out", tmp_path)
    assert said.code == errors.EXIT_USAGE
    assert "report.html" in said.err
    assert (tmp_path / "report.pdf").is_file()
    assert (tmp_path / "summary.md").is_file()


def test_report_renders_again(typed: Typed, tmp_path: Path) -> None:
    write_record(example_record(), tmp_path)
    said = typed("report", tmp_path, "--only", "markdown")
    assert said.code == 0
    assert said.out.splitlines() == [str(tmp_path / "summary.md")]
    said = typed("report", tmp_path / "audit.json", "--only", "markdown", "--before", tmp_path)
    assert said.code == 0


def test_report_of_what_is_no_record(typed: Typed, tmp_path: Path) -> None:
    said = typed("report", tmp_path)
    assert said.code == errors.EXIT_USAGE
    assert "leakaudit run" in said.err
    write_record(example_record(), tmp_path)
    said = typed("report", tmp_path, "--only", "htm")
    assert said.code == errors.EXIT_USAGE
    assert "did you mean 'html'?" in said.err
    text = (tmp_path / "audit.json").read_text(encoding="utf-8")
    (tmp_path / "audit.json").write_text(text.replace('"seeds"', '"Seeds"', 1), encoding="utf-8")
    assert typed("report", tmp_path).code == errors.EXIT_USAGE


def test_an_unchanged_record_is_left_alone(tmp_path: Path) -> None:
    record = read_record(write_record(example_record(), tmp_path))
    before = (tmp_path / "audit.json").stat().st_mtime_ns
    write_record(record, tmp_path)
    assert (tmp_path / "audit.json").stat().st_mtime_ns == before
    write_record(record.model_copy(update={"title": "another"}), tmp_path)
    assert read_record(tmp_path).title == "another"


@pytest.mark.parametrize("config", ["missing.toml", ".", "torn.toml"])
def test_a_configuration_that_cannot_be_read(typed: Typed, tmp_path: Path, config: str) -> None:
    (tmp_path / "torn.toml").write_text("[cohort\n")
    said = typed("run", tmp_path / config, "--out", tmp_path)
    assert said.code == errors.EXIT_USAGE
    assert "TOML" in said.err


def test_a_file_in_place_of_the_run_folder(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    said = typed(
        "run", QUICKSTART, "--out", tmp_path / "taken", "--quiet", "--set", "cohort.patients=10",
        "--set", "cohort.size=16", "--set", 'attacks=[{use="decoder-inversion"}]',
    )  # fmt: skip
    assert said.code == errors.EXIT_USAGE
    assert "run folder must be writable" in said.err
    assert (tmp_path / "taken").read_text() == "mine"
