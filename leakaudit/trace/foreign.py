"""The split of a job that trained elsewhere: its cuts are what crossed, measured from messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from leakaudit.errors import TraceError
from leakaudit.split.spec import OWN, MeasuredCut, SplitSpec
from leakaudit.trace.description import TraceDescription


def recorded_split(description: TraceDescription) -> SplitSpec:
    """The split as it was recorded.

    Of a job with a network of its own it holds the parties whose messages are there, and a cut for
    everything that crossed; of all others it is the split that was given.

    Raises:
        TraceError: no party's features were recorded, or parties sent other cuts than others.
    """
    split = description.split
    if split.model.use != OWN or split.cuts is not None:
        return split
    shapes: dict[str, dict[int, tuple[int, ...]]] = {}
    names: dict[int, set[str]] = {}
    for route in description.routes:
        if route.direction == "activation" and not route.at_head:
            names.setdefault(route.number, set()).add(route.cut)
            shapes.setdefault(route.sender, {})[route.number] = in_space(
                route.shape, len(description.space)
            )
    parties = tuple(party for party in split.parties if party.name in shapes)
    if not parties:
        raise TraceError(
            "a trace must hold what some party sent",
            found="no activation of any party",
            remedy="record the messages of at least one site",
        )
    levels = sorted(shapes[parties[0].name])
    for party in parties:
        if sorted(shapes[party.name]) != list(range(len(levels))):
            raise TraceError(
                "every party must send the same cuts, numbered from 0",
                found=f"cuts {sorted(shapes[party.name])} of {party.name}, "
                f"{levels} of {parties[0].name}",
                remedy="give the crossings of each party the levels 0, 1, 2, ...",
            )
    if split.labels_at not in ("server", *(party.name for party in parties)):
        raise TraceError(
            "the messages of the label holder must be among those recorded",
            found=f"none of {split.labels_at}",
            remedy="merge the part that this site recorded into the trace",
        )
    called = _called(names)
    cuts = tuple(
        MeasuredCut(
            name=called[level], shapes=tuple(shapes[party.name][level] for party in parties)
        )
        for level in levels
    )
    return split.model_copy(update={"parties": parties, "cuts": cuts})


def _called(names: Mapping[int, set[str]]) -> dict[int, str]:
    """One name for each cut; where parties call one differently, or two alike, its number."""
    single = {number: next(iter(given)) for number, given in names.items() if len(given) == 1}
    counts = Counter(single.values())
    return {
        number: single[number]
        if number in single and counts[single[number]] == 1
        else f"cut {number}"
        for number in names
    }


def in_space(shape: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """(channels, *grid) with an axis for each of the image's; what has no grid has one position."""
    return (*shape, *(1,) * (1 + dimensions - len(shape)))
