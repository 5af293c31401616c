"""What the presence control says over all seeds, and which silences it keeps from counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from leakaudit.cells.presence import Presence
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.plan.plan import TrainingId
from leakaudit.record import PresenceControl
from leakaudit.record.estimates import recorded
from leakaudit.split.spec import SplitSpec
from leakaudit.statistics import estimate_rate

# One in a hundred: a control that is wrong keeps a true silence from counting.
LEVEL = 0.01
_MOST_NAMED = 3

Results = Mapping[TrainingId, TrainingResult]


def presences(results: Results, split: SplitSpec) -> tuple[PresenceControl, ...]:
    """One entry per setting and party, seeds together.

    Args:
        results: finished trainings; references are left out.
        split: says what the cuts are called.
    """
    grouped: dict[tuple[str, str], list[tuple[int, TrainingResult, Presence]]] = {}
    for identity, result in results.items():
        if identity.reference:
            continue
        for found in result.presence:
            grouped.setdefault((identity.setting, found.party), []).append(
                (identity.seed, result, found)
            )
    return tuple(_entry(*key, seeds, split) for key, seeds in grouped.items())


def carried(controls: Sequence[PresenceControl]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(setting, victim) to what its messages surely carry: nobody may say that nothing is there."""
    return {
        (control.setting, control.victim): said
        for control in controls
        if (said := tuple(_content(control)))
    }


def unread(controls: Sequence[PresenceControl]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(setting, victim) to why nobody knows what the messages hold.

    The attacks never learnt to read some patients', or the control could not have told.
    """
    return {
        (control.setting, control.victim): said
        for control in controls
        if (said := tuple(_unread(control)))
    }


def _unread(control: PresenceControl) -> Iterator[str]:
    if control.unlike:
        yield (
            f"the messages of {_named(control.unlike)} are unlike anything that was queried, and "
            "the attacks learn from queries"
        )
    if control.rate is None:
        yield f"the presence control was {control.reason}"
    elif control.blind:
        yield f"the presence control {control.reason}"


def _content(control: PresenceControl) -> Iterator[str]:
    if control.fired:
        yield (
            "the messages carry the image, whatever the attacks make of it: the presence control "
            f"tells which was sent (p {_p(control.p)}, by {control.strongest})"
        )
    if control.in_clear:
        yield f"the image itself stands in a channel of the messages of {_named(control.in_clear)}"


def _named(patients: Sequence[str]) -> str:
    named = ", ".join(patients[:_MOST_NAMED]) + (", ..." if len(patients) > _MOST_NAMED else "")
    return f"{len(patients)} patient{'s' if len(patients) > 1 else ''} ({named})"


def _entry(
    setting: str,
    party: str,
    seeds: Sequence[tuple[int, TrainingResult, Presence]],
    split: SplitSpec,
) -> PresenceControl:
    ran = [(seed, found) for seed, _, found in seeds if found.p is not None]
    about = {
        "setting": setting,
        "victim": party,
        "cuts": tuple(map(split.cut_name, seeds[0][1].crossing)),
        "epochs": tuple(sorted({epoch for _, _, found in seeds for epoch in found.epochs})),
        "level": LEVEL,
    }
    if not ran:
        return PresenceControl(
            **about, rate=None, fired=False, reason=f"not run: {seeds[0][2].reason}"
        )
    best = min((found for _, found in ran), key=lambda found: found.p or 0.0)
    p = min(1.0, (best.p or 0.0) * len(ran))
    fired = p <= LEVEL
    smallest = min(1.0, (best.smallest_p or 0.0) * len(ran))
    return PresenceControl(
        **about,
        rate=recorded(
            estimate_rate(
                [share for _, found in ran for share in found.shares],
                [patient for _, found in ran for patient in found.patients],
                [seed for seed, found in ran for _ in found.shares],
            )
        ),
        p=p,
        fired=fired,
        blind=not fired and smallest > LEVEL,
        unlike=_unlike([found for _, found in ran]),
        in_clear=_together(found.in_clear for _, found in ran),
        strongest=best.strongest,
        reason=_reason(best, p, smallest, fired=fired),
    )


def _together(named: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({patient for each in named for patient in each}))


def _unlike(seeds: Sequence[Presence]) -> tuple[str, ...]:
    """Whose messages are unlike all others by far, or under at least half of the seeds.

    A code for one patient shows in every training; for whoever crosses first, in each another one.
    """
    far = _together(found.nothing_like for found in seeds)
    some = [found.unlike for found in seeds if found.unlike]
    if 2 * len(some) < len(seeds):
        return far
    counts = Counter(patient for each in some for patient in each)
    often = tuple(sorted(name for name, count in counts.items() if 2 * count >= len(seeds)))
    return _together([far, often or _together(some)])


def _reason(best: Presence, p: float, smallest: float, *, fired: bool) -> str:
    if fired:
        return "the messages carry the image: silence about it or its owner does not count"
    if smallest > LEVEL:
        return (
            f"cannot be sure with {len(best.patients)} patients: p is {_p(p)}, and no result would "
            f"give less than {_p(smallest)}"
        )
    return "does not surely tell which image was sent"


def _p(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"
