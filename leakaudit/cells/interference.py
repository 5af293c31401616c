"""Active attacks in a training: get ready, keep what the server learnt, read it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file, save_file
from torch import Tensor

from leakaudit.cells.folder import RESULT_FILE
from leakaudit.cells.views import view_before
from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.exchange.defense import Defense, Exposure
from leakaudit.exchange.interference import Interference
from leakaudit.exchange.stack import reshaped
from leakaudit.plan.cells import TrainingCell
from leakaudit.plan.materials import Materials
from leakaudit.plan.tables import Section
from leakaudit.plugins import Kind, build
from leakaudit.threat.attack import Attack
from leakaudit.training.data import Holdings

KEPT_FILE = "kept.safetensors"


class Stopped(Section):
    """Stands in place of a training's result where an active attack could not take part."""

    stopped: Literal["not mountable", "attack invalid"]
    reason: str

    @classmethod
    def by(cls, problem: NotMountableError | AttackInvalidError) -> Stopped:
        """What stopped it, in words."""
        kind = isinstance(problem, NotMountableError)
        return cls(stopped="not mountable" if kind else "attack invalid", reason=str(problem))


def begin(
    cell: TrainingCell,
    given: Materials,
    holdings: Holdings,
    defenses: Sequence[Defense],
    exposure: Exposure,
) -> Interference | None:
    """A dishonest server's attack, ready to take part; None for an honest server.

    Args:
        cell: the training.
        given: cohort and groups.
        holdings: the cohort, dealt out to the parties.
        defenses: as resolved.
        exposure: how long the training takes.

    Raises:
        NotMountableError: the adversary lacks what the attack needs.
        AttackInvalidError: it diverged while it got ready.
    """
    if cell.interfering is None:
        return None
    adversary, use = cell.interfering.adversary, cell.interfering.attack
    attack: Attack = build(Kind.ATTACK, use.use, use.settings)
    split = reshaped(cell.split, defenses)
    view = view_before(split, defenses, given, holdings, adversary, attack)
    return attack.begin(view, exposure.epochs * exposure.steps_per_epoch, cell.seed)


def said_of(cell: TrainingCell) -> dict[str, str]:
    """What a trace says of a server that sent back something else."""
    return {} if cell.interfering is None else {"interference": cell.interfering.attack.use}


def keep(interference: Interference, folder: Path) -> None:
    """Leave what the server learnt beside the trace."""
    save_file(dict(interference.kept()), folder / KEPT_FILE)


def kept_beside(trace: Path) -> Mapping[str, Tensor] | None:
    """What a dishonest server learnt in the recorded training; None where the server was honest.

    Raises:
        NotMountableError: its attack could not take part.
        AttackInvalidError: its attack diverged.
    """
    file, result = trace.parent / KEPT_FILE, trace.parent / RESULT_FILE
    if file.is_file():
        return load_file(file)
    if not trace.is_dir() and result.is_file():
        said = json.loads(result.read_text(encoding="utf-8"))
        if "stopped" in said:
            stopped = Stopped.model_validate(said)
            if stopped.stopped == "not mountable":
                raise NotMountableError(stopped.reason)
            raise AttackInvalidError(stopped.reason)
    return None
