"""What was recorded goes when nobody needs it any more, and comes back when somebody does."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_audit import small_audit

from leakaudit.audit.run import Outcome, run_audit
from leakaudit.audit.traces import remove_trace
from leakaudit.cli.cleaning import clean
from leakaudit.errors import RecordError
from leakaudit.record import read_record

STEPS: dict[str, object] = {"attacks.0.steps": 5, "engine.workers": 1}


def audited(folder: Path, **changes: object) -> Outcome:
    configuration, given = small_audit(folder, changes=STEPS | changes)
    return run_audit(configuration, given, folder / "run", watch=lambda _: None, command="a test")


def traces(folder: Path) -> list[Path]:
    return sorted((folder / "run" / "cells").glob("*/trace"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_traces_go_with_their_last_attack_and_a_later_attack_trains_again(tmp_path: Path) -> None:
    first = audited(tmp_path, **{"engine.keep_traces": False})
    assert not first.failures
    assert traces(tmp_path) == []
    again = audited(tmp_path, **{"engine.keep_traces": False})
    assert again.computed == 0
    # Another attack wants what is gone; a kept trace is then removed by hand, and wanted again.
    more = {"attacks.0.channels": 8}
    later = audited(tmp_path, **more)
    assert len(traces(tmp_path)) == 1
    assert later.record.utility == first.record.utility
    clean(tmp_path / "run")
    assert traces(tmp_path) == []
    assert audited(tmp_path, **more).computed == 0
    assert read_record(tmp_path / "run").findings == later.record.findings


def test_a_run_that_is_not_finished_is_not_cleaned(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        clean(tmp_path)


def test_a_training_that_is_not_finished_keeps_what_it_recorded(tmp_path: Path) -> None:
    (tmp_path / "cell" / "trace").mkdir(parents=True)
    (tmp_path / "cell" / "trace" / "shard").write_bytes(b"12345")
    assert remove_trace(tmp_path / "cell") == 0
    (tmp_path / "cell" / "result.json").write_text("{}", encoding="utf-8")
    assert remove_trace(tmp_path / "cell") == 5
    assert [path.name for path in (tmp_path / "cell").iterdir()] == ["result.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["cell"]
