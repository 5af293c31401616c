"""A whole audit, small: what is finished is never done twice, and a kill costs nothing finished."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil
import pytest

from leakaudit.audit.run import Outcome, attack_trace, run_audit
from leakaudit.audit.runner import Tick
from leakaudit.plan.configuration import read_configuration
from leakaudit.policy import evaluate, read_policy
from leakaudit.record import content_sha256, read_record
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.writer import TraceWriter

CONFIGURATION = """
title = "small"
seeds = [0, 1]
[cohort]
use = "phantom"
patients = 20
slices_per_patient = 2
size = 32
[groups]
training = 10
auxiliary = 7
validation = 3
[split]
channels = [4, 8]
party_levels = 1
parties = [{name = "a", modalities = ["T1"]}, {name = "b", modalities = ["FLAIR"]}]
[training]
epochs = 2
batch_size = 10
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = 20
[[defenses]]
label = "none"
[[defenses]]
label = "noise"
stack = [{use = "gaussian-noise", noise_multiplier = 0.5}]
"""

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def silent(tick: Tick) -> None:
    assert 0 <= tick.done <= tick.total


def audited(folder: Path, text: str = CONFIGURATION) -> Outcome:
    file = folder.parent / f"{folder.name}.toml"
    file.write_text(text, encoding="utf-8")
    configuration, given = read_configuration(file)
    return run_audit(configuration, given, folder, watch=silent, command="leakaudit run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return audited(tmp_path_factory.mktemp("audit") / "run")


@pytest.fixture
def copied(undisturbed: Outcome, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undisturbed.folder, tmp_path / "run"))


def test_the_record_answers_for_every_actor_victim_and_setting(undisturbed: Outcome) -> None:
    record = read_record(undisturbed.folder)
    assert not undisturbed.failures
    assert record.failures == ()
    asked = {(v.defense, v.adversary, v.victim, v.asset) for v in record.verdicts}
    assert asked == {
        (defense, "curious-server", victim, asset)
        for defense in ("none", "noise")
        for victim in "ab"
        for asset in ("images", "identity")
    }
    groups = [record.cohort.training, record.cohort.auxiliary, record.cohort.validation]
    assert [group.patients for group in groups] == [10, 7, 3]
    assert {control.kind for control in record.controls} == {"open", "shuffled"}
    open_cut = next(
        f for f in record.findings
        if (f.defense, f.victim, f.metric, f.region) == ("none", "a", "ssim", "foreground")
    )  # fmt: skip
    assert open_cut.blind is not None
    assert open_cut.estimate.mean > open_cut.blind.mean + 0.2
    assert open_cut.estimate.patients == 10
    assert open_cut.estimate.samples == 10 * 2 * 2
    assert {u.setting for u in record.utility} == {"none", "noise"}
    assert record.costs[0].bytes_per_patient == 2 * 2 * 2 * 4 * 32 * 32 * 4


def test_what_a_run_leaves_is_its_owners_alone(undisturbed: Outcome) -> None:
    modes = {path.stat().st_mode & 0o077 for path in undisturbed.folder.rglob("*")}
    assert modes == {0}
    assert undisturbed.folder.stat().st_mode & 0o077 == 0


def test_a_second_run_does_nothing(copied: Path) -> None:
    before = (copied / "audit.json").read_bytes()
    again = audited(copied)
    assert again.computed == 0
    assert (copied / "audit.json").read_bytes() == before


def test_a_changed_defense_recomputes_only_its_own_cells(copied: Path) -> None:
    again = audited(copied, CONFIGURATION.replace("multiplier = 0.5", "multiplier = 0.7"))
    assert (again.computed, again.reused) == (4, 5)


def test_a_changed_attack_does_not_retrain(copied: Path) -> None:
    again = audited(copied, CONFIGURATION.replace("steps = 20", "steps = 21"))
    assert (again.computed, again.reused) == (5, 4)


def test_a_trace_is_audited_without_retraining(undisturbed: Outcome, tmp_path: Path) -> None:
    outcome = _of_trace(_undefended_trace(undisturbed), tmp_path, CONFIGURATION)
    assert outcome.computed == 2
    ours = {f.victim: f.values[0] for f in outcome.record.findings if _leading(f)}
    theirs = {
        f.victim: f.values[0]
        for f in undisturbed.record.findings
        if _leading(f) and f.defense == "none"
    }
    assert ours == theirs


def test_messages_of_somebodys_own_model_are_attacked_without_asking_it(
    undisturbed: Outcome, tmp_path: Path
) -> None:
    reader = TraceReader(_undefended_trace(undisturbed))
    ours = reader.description.model_copy(update={"network": "own", "routes": ()})
    with TraceWriter(tmp_path / "own", ours) as writer:
        for message in reader.replay():
            writer(message)
        writer.finish_epoch(reader.epochs[-1])
    text = CONFIGURATION.replace(
        "[[defenses]]",
        '[[adversaries]]\npreset = "wire-tap"\n[[attacks]]\nuse = "mask-inference"\n[[defenses]]',
        1,
    )
    record = _of_trace(tmp_path / "own", tmp_path, text).record
    assert not record.failures
    server, wire = record.adversaries
    (refused,) = (each for each in server.not_mountable if each.attack == "decoder-inversion")
    assert "own network" in refused.reason
    assert "mask-inference" in wire.mounted
    assert {f.attack for f in record.findings} == {"mask-inference"}
    assert record.split.server_parameters is None


def _undefended_trace(outcome: Outcome) -> Path:
    return next(
        folder / "trace"
        for folder in (outcome.folder / "cells").iterdir()
        if (folder / "trace").exists() and '"seed":0' in _description(folder).replace(" ", "")
        and "gaussian" not in _description(folder)
    )  # fmt: skip


def _of_trace(trace: Path, folder: Path, text: str) -> Outcome:
    file = folder / "audit.toml"
    file.write_text(text, encoding="utf-8")
    configuration, given = read_configuration(file)
    return attack_trace(
        trace, configuration, given, folder / "run", watch=silent, command="leakaudit attack"
    )


def test_one_patient_is_recorded_but_given_no_verdict(tmp_path: Path) -> None:
    text = CONFIGURATION.replace("patients = 20", "patients = 1").replace(
        "training = 10", "training = 1"
    )
    text = text.replace("auxiliary = 7", "auxiliary = 0").replace(
        "validation = 3", "validation = 0"
    )
    outcome = audited(tmp_path / "run", text)
    assert outcome.refusal is not None
    assert "one patient" in outcome.refusal or "1 patient" in outcome.refusal
    assert {verdict.verdict for verdict in outcome.record.verdicts} == {"not tested"}
    assert outcome.record.split.recorded_epochs == (1,)


def test_a_damaged_shard_fails_its_attacks_and_nothing_else(copied: Path) -> None:
    victim = next(
        folder for folder in (copied / "cells").iterdir()
        if (folder / "trace").exists() and "gaussian" in _description(folder)
    )  # fmt: skip
    shard = next(victim.glob("trace/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-100])
    for cell in (copied / "cells").iterdir():
        if not (cell / "trace").exists():
            shutil.rmtree(cell)
    outcome = audited(copied)
    assert outcome.failures
    assert all("noise" in failure.where for failure in outcome.record.failures)
    assert any(finding.defense == "none" for finding in outcome.record.findings)
    verdicts = {v.verdict for v in outcome.record.verdicts if v.defense == "noise"}
    assert "none shown" not in verdicts


def _partial(cells: Path, trained: bool) -> bool:
    finished = any((folder / "trace").exists() for folder in cells.glob("[0-9a-f]*"))
    return finished == trained and any(cells.glob(".partial-*"))


STAGES: dict[str, Callable[[Path], bool]] = {
    "training": lambda run: _partial(run / "cells", trained=False),
    "attack": lambda run: _partial(run / "cells", trained=True),
    "rendering": lambda run: (run / "audit.json").exists(),
}


@pytest.mark.parametrize("stage", STAGES)
def test_kill_then_resume_gives_the_same_record(
    stage: str, undisturbed: Outcome, tmp_path: Path
) -> None:
    config, run = tmp_path / "audit.toml", tmp_path / "run"
    config.write_text(CONFIGURATION, encoding="utf-8")
    command = [sys.executable, "-m", "leakaudit", "run", str(config), "--out", str(run)]
    if stage == "rendering":
        shutil.copytree(undisturbed.folder, run)
        for name in ("audit.json", "report.html", "report.pdf", "summary.md"):
            (run / name).unlink(missing_ok=True)
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not STAGES[stage](run):
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {folder.name for folder in (run / "cells").glob("[0-9a-f]*")}
    ages = {name: (run / "cells" / name / "result.json").stat().st_mtime_ns for name in kept}

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)

    assert done.returncode == 0, done.stderr
    assert read_record(run).content_sha256 == _without_command(undisturbed, run)
    assert all((run / name).is_file() for name in ("report.html", "report.pdf", "summary.md"))
    for name, age in ages.items():
        assert (run / "cells" / name / "result.json").stat().st_mtime_ns == age


def test_a_killed_command_repeats_at_most_what_was_running(
    undisturbed: Outcome, tmp_path: Path
) -> None:
    """The command alone is killed, as a system out of memory would: its workers go with it."""
    config, run = tmp_path / "audit.toml", tmp_path / "run"
    config.write_text(CONFIGURATION, encoding="utf-8")
    cells = run / "cells"
    command = [sys.executable, "-m", "leakaudit", "run", str(config), "--out", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(list(cells.glob("[0-9a-f]*"))) < 3 or not list(cells.glob(".partial-*")):
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    kept = {folder.name: (folder / "result.json").stat() for folder in cells.glob("[0-9a-f]*")}
    running = {folder.name.split("-")[1] for folder in cells.glob(".partial-*")}
    assert len(running) <= 2
    assert not running & set(kept)

    resumed = audited(run)

    # Nine cells in all: none that stood was computed again, so only those under way were repeated.
    assert (resumed.computed, resumed.reused) == (9 - len(kept), len(kept))
    assert resumed.record.content_sha256 == content_sha256(
        undisturbed.record.model_copy(update={"environment": resumed.record.environment})
    )
    for name, was in kept.items():
        assert (cells / name / "result.json").stat().st_mtime_ns == was.st_mtime_ns
    assert not list(cells.glob(".partial-*"))


def _without_command(undisturbed: Outcome, run: Path) -> str:
    """The undisturbed record's hash, had it been started by the command line's own words.

    The environment is exchanged too: a commit may be made while the tests run.
    """
    resumed = read_record(run)
    same = {"command": resumed.command, "environment": resumed.environment}
    return content_sha256(undisturbed.record.model_copy(update=same))


def _description(folder: Path) -> str:
    return (folder / "trace" / "trace.json").read_text(encoding="utf-8")


def _leading(finding: object) -> bool:
    return (getattr(finding, "metric", ""), getattr(finding, "region", "")) == (
        "ssim",
        "foreground",
    )


SEARCHED = (
    CONFIGURATION
    + """
[[targets]]
asset = "images"
max = 0.4
[[sweep]]
use = "gaussian-noise"
label = "more noise"
search = "least"
noise_multiplier = { from = 0.25, to = 8.0, steps = 6, spacing = "log" }
[[sweep]]
use = "quantization"
bits = { values = [8, 3] }
"""
)


def test_a_search_audits_few_strengths_and_replays_from_finished_cells(
    undisturbed: Outcome, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(undisturbed.folder, tmp_path / "run"))
    outcome = audited(run, SEARCHED)
    assert not outcome.failures
    (searched,) = outcome.record.searches
    assert len(searched.strengths) == 6
    assert len(searched.tried) <= 3
    # One training and one attack under each of two seeds for every strength left out.
    assert searched.cells_saved == (6 - len(searched.tried)) * 4
    # The settings of the grid, the tried strengths; the undisturbed run had the others.
    assert outcome.computed == 4 * (2 + len(searched.tried))
    assert outcome.reused == 9
    labels = [defense.label for defense in outcome.record.defenses]
    assert labels[:4] == ["none", "noise", "quantization 8", "quantization 3"]
    assert labels[4:] == sorted(searched.tried, key=searched.strengths.index)
    (images,) = [t for t in outcome.record.trade_offs if t.asset == "images"]
    assert [point.setting for point in images.points] == labels
    answer = outcome.record.answer
    assert answer is not None
    stands = {each.setting: each.outcome for each in answer.standings}
    assert set(stands) == set(labels)
    assert (searched.found is None) or stands[searched.found] == "met"

    before = (run / "audit.json").read_bytes()
    again = audited(run, SEARCHED)
    assert again.computed == 0
    assert (run / "audit.json").read_bytes() == before

    victim = next(f for f in (run / "cells").iterdir() if not (f / "trace").exists())
    shutil.rmtree(victim)
    resumed = audited(run, SEARCHED)
    assert resumed.computed == 1
    # All but clocks is as it was.
    assert content_sha256(resumed.record) == content_sha256(outcome.record)


def test_memory_is_the_cells_own(undisturbed: Outcome) -> None:
    """Not the lifetime maximum of its worker: small cells after a large one stay small."""
    from leakaudit.cells.memory import measured

    with measured("cpu") as large:
        bytearray(300 * 2**20)
    with measured("cpu") as small:
        pass
    if large.bytes is None or small.bytes is None:
        pytest.skip("this system cannot measure a stretch of work")
    assert large.bytes - small.bytes > 250 * 2**20
    assert set(undisturbed.record.volatile.peak_memory_bytes) == {"none", "noise"}


POLICY = """
title = "Of this test"
setting = "none"
[[budget]]
name = "images"
metric = "ssim"
max = 0.3
source = "this test"
[[utility]]
name = "useful"
min = 0.01
source = "this test"
"""


def test_the_policy_of_the_gate_sets_the_targets(undisturbed: Outcome, tmp_path: Path) -> None:
    (tmp_path / "leakage-policy.toml").write_text(POLICY, encoding="utf-8")
    run = Path(shutil.copytree(undisturbed.folder, tmp_path / "run"))
    outcome = audited(run, 'policy = "leakage-policy.toml"\n' + CONFIGURATION)
    assert outcome.computed == 0, "targets change no cell"
    found = outcome.record.answer
    assert found is not None
    assert found.policy == "Of this test"
    assert [target.rule for target in found.targets] == ["images", "useful"]
    for defense in ("none", "noise"):
        (tmp_path / "gate.toml").write_text(POLICY.replace("none", defense), encoding="utf-8")
        held = evaluate(read_policy(tmp_path / "gate.toml"), outcome.record, today=date.today())
        ours = [each.reason for each in found.standings if each.setting == defense]
        assert ours == [result.reason for result in held.results]
