"""Traces are large, and what attacks made of them stays without them: which are still needed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from leakaudit.cells.folder import finished, take_away
from leakaudit.cells.training_cell import TRACE_FOLDER
from leakaudit.plan.plan import Plan


class Readers:
    """Which attacks have yet to read which traces of a plan.

    A training is repeated exactly by its seed: where its trace was removed and an attack wants it
    after all, the training runs again.

    Args:
        plan: all cells.
        cells: folder of the finished ones.
    """

    def __init__(self, plan: Plan, cells: Path) -> None:
        self._cells = cells
        self._recorded = {
            cell.key() for cell in plan.every_training().values() if cell.recording is not None
        }
        self._waiting: dict[str, set[str]] = defaultdict(set)
        for attack in plan.attacks.values():
            if not finished(cells / (key := attack.key())):
                self._waiting[attack.source].add(key)

    def train_again(self) -> None:
        """Take away the cells of finished trainings whose trace is gone and still wanted."""
        for training in self._recorded & set(self._waiting):
            folder = self._cells / training
            if finished(folder) and not (folder / TRACE_FOLDER).is_dir():
                take_away(folder, folder)

    def done(self, attack: str) -> None:
        """An attack has read all it wanted; traces that nobody waits for any more are removed.

        Args:
            attack: key of its cell.
        """
        for training, waiting in self._waiting.items():
            if attack in waiting:
                waiting.remove(attack)
                if not waiting:
                    remove_trace(self._cells / training)

    def thin(self) -> None:
        """Remove the traces of finished trainings that no attack waits for."""
        for training in self._recorded:
            if not self._waiting.get(training):
                remove_trace(self._cells / training)


def remove_trace(training: Path) -> int:
    """Remove what a finished training recorded, and keep everything else of it.

    Args:
        training: folder of its cell.

    Returns:
        Bytes freed; 0 where there was no trace, or the training is not finished.
    """
    trace = training / TRACE_FOLDER
    if not finished(training) or not trace.is_dir():
        return 0
    freed = sum(file.lstat().st_size for file in trace.rglob("*") if file.is_file())
    take_away(trace, training)
    return freed
