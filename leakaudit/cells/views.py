"""Build the view of one adversary on one recorded training: grants decide what goes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np
import torch

from leakaudit.cells.lineup import Lineup
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import NotMountableError, TraceError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.message import Direction
from leakaudit.plan.materials import Materials
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import Adversary, Knowledge, Position
from leakaudit.threat.positions import seen_from
from leakaudit.threat.sources import Auxiliary, Candidates, Exchange, Rebuilt
from leakaudit.threat.target import Asset, Target
from leakaudit.threat.view import View
from leakaudit.trace.query_log import QueryLog
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.rebuilt import build_defenses
from leakaudit.training.data import Holdings


def targets_of(attack: Attack, adversary: Adversary, split: SplitSpec) -> tuple[Target, ...]:
    """What an attack goes for: whose images, or the masks, and through which levels.

    Args:
        attack: under its settings.
        adversary: who never attacks itself.
        split: after defenses.
    """
    levels: list[tuple[int, ...]] = [split.crossing]
    if attack.per_level and len(split.crossing) > 1:
        levels = [*((level,) for level in split.crossing), split.crossing]
    return targets_through(levels, attack.asset, adversary, split)


def targets_through(
    levels: Sequence[tuple[int, ...]], goal: Asset, adversary: Adversary, split: SplitSpec
) -> tuple[Target, ...]:
    """Everybody whose asset an adversary is after, through each of several choices of levels.

    Args:
        levels: those to be read together, one choice each.
        goal: what is to be recovered.
        adversary: who never attacks itself.
        split: after defenses.
    """
    victims = victims_of(goal, adversary, split)
    return tuple(Target(victim, goal, each) for victim in victims for each in levels)


def victims_of(goal: Asset, adversary: Adversary, split: SplitSpec) -> tuple[str, ...]:
    """Who holds what an adversary is after, and it does not hold itself.

    Nobody goes for what it has: masks, and what can be read off them, where it holds the labels;
    who trained, where it is one of the parties and shares the patients.
    """
    wire = adversary.position is Position.WIRE
    labels = Knowledge.LABELS in seen_from(adversary, split) | adversary.granted
    among = bool(set(adversary.members) - {SERVER}) and not wire
    if (goal in ("masks", "attribute") and labels) or (goal == "membership" and among):
        return ()
    if goal == "masks":
        return (split.labels_at,)
    if wire:
        return tuple(adversary.members or split.party_names)
    return tuple(name for name in split.party_names if name not in adversary.members)


def build_view(
    reader: TraceReader,
    given: Materials,
    holdings: Holdings,
    adversary: Adversary,
    attack: Attack,
    lineup: Lineup,
    kept: Mapping[str, torch.Tensor] | None = None,
) -> View:
    """Everything the adversary may see, and nothing it may not.

    Args:
        reader: the recorded training.
        given: cohort and groups.
        holdings: the cohort, dealt out to the parties.
        adversary: position and grants.
        attack: decides the targets.
        lineup: which samples are attacked, and who may be behind them.
        kept: what it took away from this training, where it took part in it.

    Raises:
        TraceError: the trace was recorded on other samples than this cohort's training group.
    """
    rows = torch.from_numpy(lineup.attacked)
    if not set(rows.tolist()) <= set(reader.samples):
        raise TraceError(
            "a trace must hold every attacked sample",
            found=f"{len(set(rows.tolist()) - set(reader.samples))} of {len(rows)} missing",
            remedy="use the cohort and groups the trace was recorded with",
        )
    rebuilt, split = _networks(reader, holdings)
    return view_of(
        given, holdings, adversary, split, build_defenses(reader.description),
        targets_of(attack, adversary, split), lineup, reader.exchange(rows.tolist()), rebuilt, kept,
    )  # fmt: skip


def view_of(
    given: Materials,
    holdings: Holdings,
    adversary: Adversary,
    split: SplitSpec,
    defenses: Sequence[Defense],
    targets: tuple[Target, ...],
    lineup: Lineup,
    exchange: Exchange,
    rebuilt: Rebuilt,
    kept: Mapping[str, torch.Tensor] | None = None,
) -> View:
    """A view of an exchange, wherever it was kept: grants decide what goes in.

    Args:
        given: cohort and groups.
        holdings: the cohort, dealt out to the parties.
        adversary: position and grants.
        split: after defenses.
        defenses: those that were on, as resolved.
        targets: what is attacked.
        lineup: which samples are attacked, and who may be behind them.
        exchange: what was recorded of the attacked samples, in their order.
        rebuilt: the networks of the recorded epochs.
        kept: what an active adversary took away from the training.
    """
    knowledge = _knowledge(adversary, split, given)
    rows = torch.from_numpy(lineup.attacked)
    return View(
        adversary=adversary,
        knowledge=knowledge,
        split=split,
        modalities={party.name: len(party.modalities) for party in split.parties},
        regions=len(given.cohort.regions),
        space=given.cohort.space,
        defenses=tuple(defenses),
        targets=targets,
        patients=holdings.patients[rows],
        _exchange=exchange,
        _rebuilt=rebuilt,
        _auxiliary=_auxiliary(adversary, split, given, holdings),
        _own_images={name: holdings.images[name][rows] for name in adversary.members
                     if name != SERVER} if Knowledge.OWN_IMAGES in knowledge else {},
        _labels=holdings.labels(rows) if Knowledge.LABELS in knowledge else None,
        _candidates=_candidates(holdings, lineup, knowledge),
        _kept=kept,
    )  # fmt: skip


def view_before(
    split: SplitSpec,
    defenses: Sequence[Defense],
    given: Materials,
    holdings: Holdings,
    adversary: Adversary,
    attack: Attack,
) -> View:
    """What an active adversary has before a training: the plan of it, and its own patients.

    Args:
        split: after defenses.
        defenses: as resolved.
        given: cohort and groups.
        holdings: the cohort, dealt out to the parties.
        adversary: position and grants.
        attack: decides the targets.
    """
    nothing = _NothingYet()
    nobody = np.zeros(0, dtype=np.int64)
    view = view_of(
        given, holdings, adversary, split, defenses, targets_of(attack, adversary, split),
        Lineup(nobody, nobody, nobody), nothing, nothing,
    )  # fmt: skip
    return replace(view, _own_images={}, _labels=None)


def _knowledge(adversary: Adversary, split: SplitSpec, given: Materials) -> Knowledge:
    """Position and grants; of auxiliary patients only where there are any."""
    knowledge = seen_from(adversary, split) | adversary.granted
    return knowledge if given.groups.patients[Group.AUXILIARY] else knowledge & ~_AUXILIARY


def _auxiliary(
    adversary: Adversary, split: SplitSpec, given: Materials, holdings: Holdings
) -> Auxiliary:
    knowledge = seen_from(adversary, split) | adversary.granted
    rows = given.rows(Group.AUXILIARY)
    some = rows if Knowledge.AUXILIARY_IMAGES in knowledge else rows[:0]
    return Auxiliary(
        images={name: images[some] for name, images in holdings.images.items()},
        masks=holdings.labels(some if Knowledge.AUXILIARY_LABELS in knowledge else some[:0]),
        patients=holdings.patients[some],
    )


def _networks(reader: TraceReader, holdings: Holdings) -> tuple[Rebuilt, SplitSpec]:
    """What can be run or asked again of a recorded training, and its split after defenses."""
    if not reader.can_be_rebuilt:
        asked = reader.asked
        return QueryLog(reader, holdings.images) if asked else _NotRebuilt(), reader.split
    rebuilt = reader.rebuilt()
    return rebuilt, rebuilt.network(reader.epochs[-1]).split


class _NothingYet:
    """Before a training: nothing was exchanged, and no network has learnt anything."""

    epochs: tuple[int, ...] = ()
    message_size: int = 0

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> NoReturn:
        """Refuse."""
        del party, level, direction, epoch
        raise _too_early("messages")

    def at_head(self, holder: str, direction: Direction, epoch: int) -> NoReturn:
        """Refuse."""
        del holder, direction, epoch
        raise _too_early("messages")

    def whole_messages(self, party: str, level: int, epoch: int) -> NoReturn:
        """Refuse."""
        del party, level, epoch
        raise _too_early("messages")

    def updates(self, party: str, epoch: int) -> NoReturn:
        """Refuse."""
        del party, epoch
        raise _too_early("weight updates")

    def party(self, name: str, epoch: int) -> NoReturn:
        """Refuse."""
        del name, epoch
        raise _too_early("a party's encoder")

    def server(self, epoch: int) -> NoReturn:
        """Refuse."""
        del epoch
        raise _too_early("the server's network")


def _too_early(wanted: str) -> NotMountableError:
    return NotMountableError(
        f"an active attack gets ready without {wanted}", found="a training that has not begun"
    )


class _NotRebuilt:
    """Somebody's own model: its messages were recorded, but nobody can be asked what it sends."""

    def party(self, name: str, epoch: int) -> NoReturn:
        """Refuse."""
        del name, epoch
        raise _own_model("a party's encoder")

    def server(self, epoch: int) -> NoReturn:
        """Refuse."""
        del epoch
        raise _own_model("the server's network")


def _own_model(wanted: str) -> NotMountableError:
    return NotMountableError(
        f"the attack has to run {wanted}, and this trace holds messages alone",
        found="a trace of a job's own network, which was asked nothing while it was recorded",
        remedy="record the job again and send the recorder's questions; docs/trace.md says how",
    )


def _candidates(holdings: Holdings, lineup: Lineup, knowledge: Knowledge) -> Candidates | None:
    if Knowledge.CANDIDATE_IMAGES not in knowledge or not len(lineup.candidates):
        return None
    rows = torch.from_numpy(lineup.candidates)
    return Candidates(
        {name: images[rows] for name, images in holdings.images.items()},
        holdings.labels(rows) if Knowledge.CANDIDATE_LABELS in knowledge else None,
    )


_AUXILIARY = Knowledge.AUXILIARY_IMAGES | Knowledge.AUXILIARY_LABELS
