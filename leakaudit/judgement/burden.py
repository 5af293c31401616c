"""The burden of proof is on the defense: whose silence may be believed, and whose may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leakaudit.cells.training_cell import TrainingResult
from leakaudit.exchange.defense import Defense
from leakaudit.models.model import model_of
from leakaudit.plan.plan import TrainingId
from leakaudit.plan.tables import DefenseStack
from leakaudit.plugins import Kind, entries, load
from leakaudit.split.spec import SplitSpec

_OURS = "leakaudit"


def explained(defense: type[Defense]) -> str:
    """Why silence under a defense may be believed; empty where nobody here knows.

    Said by the class itself, not by one it is derived from, and believed only of what ships here:
    a disguise is quickly derived from a defense that is known.
    """
    said = vars(defense).get("silence", "")
    ships = any(
        entry.dist is not None and entry.dist.name == _OURS and entry.load() is defense
        for entry in entries(Kind.DEFENSE).values()
    )
    return str(said) if ships else ""


def unexplained(stack: DefenseStack) -> tuple[str, ...]:
    """Why silence under a stack settles nothing; empty where every defense of it is explained."""
    unknown = [use.use for use in stack.stack if not explained(load(Kind.DEFENSE, use.use))]
    return tuple(
        f"this audit cannot tell hiding from removing: nothing shows that its attacks read through "
        f"what {name} does to messages"
        for name in dict.fromkeys(unknown)
    )


def unseen_network(split: SplitSpec) -> tuple[str, ...]:
    """Why silence of a network settles nothing; empty where the attacks are shown to read it.

    Only a model that ships here may say so of a network, as with defenses.
    """
    ships = any(
        entry.dist is not None and entry.dist.name == _OURS
        for name, entry in entries(Kind.MODEL).items()
        if name == split.model.use
    )
    if ships and model_of(split).read_by_attacks:
        return ()
    return (
        "this audit cannot tell hiding from removing: nothing shows that its attacks read what "
        f"{split.network_name} sends",
    )


def unknown_encoders(trainings: Mapping[TrainingId, TrainingResult]) -> Iterator[tuple[str, str]]:
    """(setting, why) where the messages come from networks that were never seen here."""
    for identity, result in trainings.items():
        if result.foreign_network:
            yield (
                identity.setting,
                "this audit cannot tell hiding from removing: the messages come from networks of "
                "their own, which it has not seen",
            )
