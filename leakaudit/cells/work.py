"""What a worker does with one cell: run it in a partial folder, then put it in place whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import leakaudit
from leakaudit.cells.folder import (
    clear_partial,
    finished,
    partial_folder,
    put_in_place,
    room_for,
)
from leakaudit.errors import (
    AttackInvalidError,
    EnvironmentProblemError,
    NotMountableError,
)
from leakaudit.plan.cells import AttackCell, TrainingCell

PROGRESS_TOPIC = "leakaudit-progress"


def work_training(cell_json: str, folder: str, threads: int, version: str, store: str) -> None:
    """Run a training cell, unless it is finished.

    Args:
        cell_json: the cell.
        folder: where the finished cell is to stand.
        threads: torch threads.
        version: of the leakaudit that asks.
        store: folder of prepared cohorts.

    Raises:
        EnvironmentProblemError: this worker runs another version.
    """
    _require(version)
    from leakaudit.cells.interference import Stopped
    from leakaudit.cells.training_cell import run_training

    cell = TrainingCell.model_validate_json(cell_json)
    target = Path(folder)
    if finished(target):
        return
    _limit(threads)
    partial = partial_folder(target)
    report = _reporter(target.name)
    with room_for(partial):
        try:
            result = run_training(cell, partial, report, Path(store)).model_dump_json()
        except (NotMountableError, AttackInvalidError) as problem:
            # Of an active attack, which took part in it. What it recorded until then is no
            # training.
            clear_partial(target.parent, target.name)
            partial.mkdir()
            result = Stopped.by(problem).model_dump_json()
        put_in_place(partial, target, result)


def work_attack(
    cell_json: str, trace: str, folder: str, threads: int, version: str, store: str, after: object
) -> None:
    """Run an attack cell, unless it is finished.

    Args:
        cell_json: the cell.
        trace: folder of the recorded training.
        folder: where the finished cell is to stand.
        threads: torch threads.
        version: of the leakaudit that asks.
        store: folder of prepared cohorts.
        after: the training's result, so that the engine runs this one later.

    Raises:
        EnvironmentProblemError: this worker runs another version.
    """
    _require(version)
    from leakaudit.cells.attack_cell import run_attack

    del after
    cell = AttackCell.model_validate_json(cell_json)
    target = Path(folder)
    if finished(target):
        return
    _limit(threads)
    partial = partial_folder(target)
    with room_for(partial):
        result = run_attack(cell, Path(trace), partial, _reporter(target.name), Path(store))
        put_in_place(partial, target, result.model_dump_json())


def other_version(ours: str, theirs: object, where: str) -> EnvironmentProblemError:
    """What to say of a worker that runs another version."""
    return EnvironmentProblemError(
        "every worker runs the same version of leakaudit as the process that asks",
        found=f"{ours} here, {theirs} at {where}",
        remedy=f"install leakaudit {ours} where the workers run, then start them again",
    )


def _require(version: str) -> None:
    """Refuse to work for another version: a worker may join at any time."""
    if leakaudit.__version__ != version:
        from distributed import get_worker

        raise other_version(version, leakaudit.__version__, get_worker().address)


def _limit(threads: int) -> None:
    """Take no more of the machine than was given, and leave nothing for others to read."""
    import torch
    from distributed import get_worker

    # Of the whole process, for good: threads of one worker may write at the same time.
    os.umask(0o077)
    torch.set_num_threads(threads)
    name = get_worker().name
    if torch.cuda.is_available() and isinstance(name, int):
        # Workers of the local engine are numbered: each takes a GPU of its own.
        torch.cuda.set_device(name % torch.cuda.device_count())


def _reporter(name: str) -> Callable[[str, float], None]:
    from distributed import get_worker

    worker = get_worker()

    def report(stage: str, fraction: float) -> None:
        worker.log_event(PROGRESS_TOPIC, {"cell": name, "stage": stage, "fraction": fraction})

    return report
