"""What each position shows by itself, before any grant."""

from __future__ import annotations

from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.threat.knowledge import NOTHING, Adversary, Knowledge, Position


def sees_head(adversary: Adversary, split: SplitSpec) -> bool:
    """Whether the link between the server and a party that holds the labels is its to read."""
    holder = split.label_holder
    if holder is None:
        return False
    if adversary.position is Position.WIRE:
        return not adversary.members or holder in adversary.members
    at_server = adversary.position is Position.SERVER
    return at_server or bool({SERVER, holder} & set(adversary.members))


def seen_from(adversary: Adversary, split: SplitSpec) -> Knowledge:
    """What the position shows by itself, before any grant (threat model, "who sees what").

    In a horizontal split the server averages the encoders: it and the wire see each party's update
    before averaging and, with every party, the averaged encoder of every round, which can be asked
    about any image. What a party holds itself are images of other patients than the victims. Of two
    parties each can subtract its own share from the average, which leaves the other's update.
    """
    server = Knowledge.ACTIVATIONS | Knowledge.GRADIENTS | Knowledge.SERVER_WEIGHTS
    if split.label_holder is None:
        server |= Knowledge.LABELS
    party = Knowledge.OWN_IMAGES | Knowledge.GRADIENTS | Knowledge.ARCHITECTURE
    wire = Knowledge.ACTIVATIONS | Knowledge.GRADIENTS
    if split.orientation == "horizontal":
        averaged = Knowledge.ARCHITECTURE | Knowledge.ENCODER_WEIGHTS | Knowledge.QUERIES
        server |= averaged | Knowledge.WEIGHT_UPDATES
        wire |= averaged | Knowledge.WEIGHT_UPDATES
        party = averaged
        others = set(split.party_names) - set(adversary.members)
        if len(others) == 1:
            party |= Knowledge.WEIGHT_UPDATES
    match adversary.position:
        case Position.SERVER:
            return server
        case Position.PARTY:
            holds = adversary.members[0] == split.label_holder
            return party | (Knowledge.LABELS if holds else NOTHING)
        case Position.WIRE:
            return wire
        case Position.COALITION:
            total = party if set(adversary.members) - {SERVER} else NOTHING
            if SERVER in adversary.members:
                total |= server
            if split.label_holder in adversary.members:
                total |= Knowledge.LABELS
            return total
