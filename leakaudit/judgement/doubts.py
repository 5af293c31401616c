"""What keeps silence from counting: collected here, kept in the record, read by every gate.

A doubt is a sentence about one question (setting, adversary, victim, asset). Where it comes from:

- `statistics.verdict.silence_doubts`: patients, seeds, controls and effort of the strongest attack;
- `unfinished.Planned.doubts`: what was planned and is not there, defenses and encoders that nobody
  knows (`burden`), and whatever else is known of a question: **a new doubt is yielded there**;
- `artefacts` and the efforts of the other attacks, below.

What the messages surely carry (the presence control) is no doubt about a bound: it is held apart as
`carries`, against "none shown" and against whatever allows no more than that.

The verdict holds all of them as `doubts`. While there is one, no verdict is "none shown", no target
is met, and `leakaudit check` passes no rule that speaks of the question: neither knows which doubts
there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from leakaudit.cells.scores import PRIMARY
from leakaudit.judgement.findings import FindingId, Series, converged
from leakaudit.statistics import Figure


def all_doubts(*sources: Iterable[str]) -> tuple[str, ...]:
    """Every doubt once, in order."""
    return tuple(dict.fromkeys(doubt for source in sources for doubt in source))


def artefacts(unsound: Mapping[FindingId, Figure], threshold: float) -> tuple[str, ...]:
    """What was set aside because the attack fails its shuffled control, where it may be a leak.

    An artefact is no leak shown, but nor does it let the others' silence speak: behind it a leak
    could stand.
    """
    loud = {
        key.attack
        for key, figure in unsound.items()
        if figure.at_most is None or not figure.at_most <= threshold
    }
    return tuple(
        f"{attack} also 'finds' patients in shuffled pairs, so what it finds here may be an "
        "artefact or a leak"
        for attack in sorted(loud)
    )


def picked_every_time(patients: Sequence[str]) -> tuple[str, ...]:
    """Of who is picked out under every seed, though the mean is that of guessing."""
    if not patients:
        return ()
    who = f"{len(patients)} patient{'s' if len(patients) > 1 else ''} ({', '.join(patients[:3])}"
    return (f"{who}{', ...' if len(patients) > 3 else ''}) picked out under every seed",)


def efforts_flat(
    attack: str, figures: Iterable[FindingId], gathered: Mapping[FindingId, Series]
) -> bool | None:
    """Whether an attack had converged at all levels; None where it was not measured at one."""
    flat = [_effort_flat(key, gathered) for key in figures if key.attack == attack]
    return False if False in flat else None if None in flat else True


def _effort_flat(best: FindingId, gathered: Mapping[FindingId, Series]) -> bool | None:
    """Whether the attack had converged; identity is read off images, and so is its effort."""
    metric, region = PRIMARY["images"]
    of_images = replace(best, asset="images", metric=metric, region=region)
    for key in (best, of_images):
        if key in gathered and (gathered[key].curve or gathered[key].curve_auxiliary):
            return converged(key, gathered[key])
    return None
