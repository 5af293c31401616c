"""Where finished cells stand, and whether the disk has room for more."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leakaudit.cells.folder import finished
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import EnvironmentProblemError
from leakaudit.plan.configuration import EngineSettings
from leakaudit.plan.materials import Materials
from leakaudit.plan.plan import Plan
from leakaudit.trace.modes import owner_only
from leakaudit.trace.size import check_disk, estimate_bytes

CELLS = "cells"
COHORT = ".cohort"
"""Within it, while a run lasts: what the workers share of the cohort."""


def cells_folder(out: Path) -> Path:
    """Where finished cells stand.

    Raises:
        EnvironmentProblemError: the run folder cannot be made or written.
    """
    cells = out / CELLS
    try:
        cells.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cells):
            pass
    except OSError as problem:
        raise EnvironmentProblemError(
            f"the run folder must be writable ({problem.strerror})",
            found=str(out),
            remedy="name another folder with --out, or change its permissions",
        ) from None
    return cells


@contextmanager
def run_folder(out: Path) -> Iterator[Path]:
    """Where finished cells stand; a run folder that was made for nothing is taken away again.

    What is written meanwhile can be read by its owner alone: it is as sensitive as the images.

    Raises:
        EnvironmentProblemError: the run folder cannot be made or written.
    """
    fresh = not out.exists()
    with owner_only():
        cells = cells_folder(out)
        try:
            yield cells
        finally:
            if fresh:
                # Only what is empty goes.
                with suppress(OSError):
                    cells.rmdir()
                    out.rmdir()


def check_room(plan: Plan, cells: Path, given: Materials, engine: EngineSettings | None) -> None:
    """Foresee a full disk before a training starts.

    Args:
        plan: all cells.
        cells: folder of the finished ones.
        given: the cohort.
        engine: of this machine; None for somebody's own scheduler, whose workers nobody counts.

    Raises:
        EnvironmentProblemError: the traces to be recorded do not fit.
    """
    wanted = []
    for cell in plan.every_training().values():
        if cell.recording is not None and not finished(plan.folder(cells, cell)):
            wanted.append(
                estimate_bytes(
                    cell.split,
                    given.cohort.space,
                    len(given.groups.indices[Group.TRAINING]),
                    len(cell.recording.chosen(cell.training.epochs)),
                    regions=len(given.cohort.regions),
                    weight_updates=cell.recording.weight_updates,
                )
            )
    # A worker attacks what it trained before it trains again.
    at_once = None if engine is None or engine.keep_traces else 2 * engine.workers
    check_disk(cells, sum(sorted(wanted, reverse=True)[:at_once]))
