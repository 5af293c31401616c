"""What cannot work is one message before the first training starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import write_npz
from small_audit import small_audit

from leakaudit.audit import room, runner
from leakaudit.audit import run as audit
from leakaudit.cells.training_cell import run_training
from leakaudit.errors import (
    ConfigurationError,
    DataError,
    EnvironmentProblemError,
    LeakauditError,
    TraceError,
    UnknownNameError,
)
from leakaudit.plan.cells import CohortChoice, TrainingCell
from leakaudit.plan.materials import load_cohort
from leakaudit.trace import RecordingSettings
from leakaudit.trace.size import check_disk


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(*arguments: object, **rest: object) -> Iterator[None]:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(runner, "engine", engine)


def planned(folder: Path, changes: dict[str, Any], trace: Path | None = None) -> None:
    configuration, given = small_audit(folder, changes=changes)
    rest: dict[str, Any] = {"watch": lambda tick: None, "command": "leakaudit"}
    if trace is None:
        audit.run_audit(configuration, given, folder / "run", **rest)
    else:
        audit.attack_trace(trace, configuration, given, folder / "run", **rest)


def defended(*stack: dict[str, Any]) -> dict[str, Any]:
    return {"defenses": [{"label": "none"}, {"label": "x", "stack": list(stack)}]}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        (defended({"use": "skip-withholding", "cuts": [1]}), ConfigurationError,
         r"deepest level at the parties cannot be withheld.*level 1.*do: withhold out of level 0"),
        (defended({"use": "skip-withholding", "cuts": [0]}) | {"split.party_levels": 1},
         ConfigurationError, "cannot be withheld.*do: raise party_levels"),
        (defended({"use": "quantization", "bits": 2},
                  {"use": "gaussian-noise", "noise_multiplier": 1.0}), ConfigurationError,
         "quantization comes after noise"),
        (defended({"use": "dropout", "rate": 0.5, "parties": ["aa"]}), ConfigurationError,
         "'x': unknown party of a defense; found: 'aa'; do: did you mean 'a'"),
        (defended({"use": "gaussian-noise", "target_epsilon": 1.0, "clip_norm": 1.0,
                   "delta": 0.5}), ConfigurationError, "delta"),
        ({"split.parties": [{"name": "a", "modalities": ["T1x"]}]}, UnknownNameError,
         "modality of party a; found: 'T1x'; do: did you mean 'T1'"),
        ({"split.dimensions": 3}, ConfigurationError,
         r"must be that of the images.*3, and images of 16 x 16.*set split.dimensions = 2"),
        ({"split.channels": [4, 8, 8, 8, 8]}, ConfigurationError,
         r"at least two voxels.*16 x 16 and 5 levels.*fewer split.channels"),
        ({"cohort.dimensions": 3, "cohort.depth": 8, "split.dimensions": 3}, ConfigurationError,
         r"at least 11 voxels along every axis.*found: 8 x 16 x 16; do: use larger"),
        ({"groups.training": 40}, DataError, "43|44 wanted"),
        ({"groups": {"training": ["P001"], "auxiliary": ["P002"], "validation": ["P001"]}},
         DataError, "no patient may be in two groups; found: P001 in training and validation"),
        ({"groups": {"training": ["P001"], "auxiliary": ["P002"], "validation": []}},
         DataError, "every group must have at least one patient; found: none in validation"),
        ({"cohort.sise": 16}, UnknownNameError, "did you mean 'size'"),
        ({"attacks.0.use": "decoder-inverson"}, UnknownNameError,
         "did you mean 'decoder-inversion'"),
        ({"attacks.0.steps": 0}, ConfigurationError, "steps: Input should be greater than 0"),
    ],
)  # fmt: skip
def test_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[LeakauditError], says: str
) -> None:
    with pytest.raises(error, match=says):
        planned(tmp_path, changes)
    assert error.exit_code == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there(tmp_path: Path, device: str) -> None:
    with pytest.raises(EnvironmentProblemError, match=f"none is visible; found: {device}; do: set"):
        planned(tmp_path, {"training.device": device})


def test_a_full_disk_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(folder: Path, needed: int) -> None:
        # 4 samples, 2 parties, 2 directions: levels of 4 x 16 x 16 and 8 x 8 x 8 floats.
        assert 4 * 2 * 2 * (4 * 256 + 8 * 64) * 4 < needed < 3 << 20
        check_disk(folder, needed + (1 << 60))

    monkeypatch.setattr(room, "check_disk", small)
    with pytest.raises(EnvironmentProblemError, match="room for the trace"):
        planned(tmp_path, {})


def test_the_same_person_under_two_names(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "slices.npz", 8)
    held = dict(np.load(file))
    own = held["patient"] == held["patient"][0]
    # Whoever is drawn into whichever group: all eight are one person.
    held["image"] = np.tile(held["image"][own], (8, 1, 1, 1))
    held["mask"] = np.tile(held["mask"][own], (8, 1, 1))
    np.savez(file, **held)
    with pytest.raises(DataError, match=r"no image may belong to two persons"):
        planned(tmp_path, {"cohort": {"use": "npz", "path": str(file)}})


@pytest.mark.parametrize("there", [False, True])
def test_lpips_weights_that_were_named_must_be_there(tmp_path: Path, there: bool) -> None:
    place = tmp_path / "weights"
    if there:
        place.mkdir()
    with pytest.raises(ConfigurationError, match=r"lpips_weights must name.*do: mend the path"):
        planned(tmp_path, {"judgement.lpips_weights": str(place)})


def test_a_copied_channel_is_found(tmp_path: Path) -> None:
    # Four modalities under five names: the last is the first again.
    write_npz(tmp_path / "slices.npz", 8, ("T1", "FLAIR", "T2", "T1Gd", "PD"))
    cohort = load_cohort("npz", {"path": str(tmp_path / "slices.npz")})
    (warning,) = cohort.warnings
    assert "T1 and PD are identical in P001" in warning


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    configuration, _ = small_audit(tmp_path)
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    run_training(
        TrainingCell(
            choice=CohortChoice(
                cohort=configuration.cohort,
                groups=configuration.groups,
                fingerprint=cohort.fingerprint(),
            ),
            split=configuration.split,
            training=configuration.training,
            recording=RecordingSettings(),
            seed=0,
        ),
        tmp_path,
        lambda stage, fraction: None,
    )
    return tmp_path / "trace"


@pytest.mark.parametrize("kept", [-100, None])
def test_a_damaged_shard_is_named_before_the_attack(
    tmp_path: Path, trace: Path, kept: int | None
) -> None:
    shard = next(trace.glob("*messages*.safetensors"))
    content = bytearray(shard.read_bytes())
    content[-200] ^= 1
    shard.write_bytes(content[:kept])
    with pytest.raises(TraceError, match=rf"shard {shard.name} must be.*do: restore"):
        planned(tmp_path, {}, trace)


def test_a_trace_of_another_cohort_or_version(tmp_path: Path, trace: Path) -> None:
    with pytest.raises(TraceError, match=r"cohort it was recorded on.*name that cohort"):
        planned(tmp_path, {"cohort.seed": 8}, trace)
    text = (trace / "trace.json").read_text(encoding="utf-8")
    (trace / "trace.json").write_text(text.replace('"2.0"', '"3.0"'), encoding="utf-8")
    with pytest.raises(TraceError, match=r"reads traces of schema 1\.0 to 2\.0; found: 3\.0"):
        planned(tmp_path, {}, trace)
