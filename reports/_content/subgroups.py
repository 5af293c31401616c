"""Do patients with large or small lesions leak more? The mean may hide it."""

from __future__ import annotations

import numpy as np

from leakaudit.record import Finding
from leakaudit.record.advantage import advantages
from leakaudit.statistics import Direction, Figure, terciles

from .blocks import Cell, Column, Table, ranged, say, strong
from .evidence_index import Index, Question, actor, owner
from .wording import ASSET, number

FEWEST = 6
"""Below this, thirds hold a single patient."""
THIRDS = (("low", "Small lesions"), ("middle", "Middle"), ("high", "Large lesions"))


def subgroups(index: Index, question: Question, key: str) -> Table | None:
    """Advantage by thirds of lesion size, for the worst victim under each setting."""
    size = index.record.cohort.lesion_fraction
    if len(size) < FEWEST or len(set(size)) < len(THIRDS):
        return None
    rows = []
    for setting in index.settings:
        worst = index.worst(question, setting)
        finding = index.finding(worst) if worst is not None else None
        groups = None if finding is None else _groups(finding, size)
        if worst is not None and groups:
            cells = [_cell(groups.get(name)) for name, _ in THIRDS]
            rows.append(
                (Cell(say(strong(index.title(setting)))), Cell(say(owner(worst.victim))), *cells)
            )
    if not rows:
        return None
    return Table(
        f"subgroups-{key}",
        say(
            f"{actor(question.adversary)}, {ASSET[question.asset]}: advantage by lesion size, "
            "mean, 95 % interval or bounds from one side, number of patients. Thirds of the "
            "attacked patients by the share of voxels inside any lesion."
        ),
        (
            Column("Setting", weight=1.3),
            Column("Victim", weight=0.8),
            *(Column(title, numeric=True, weight=1.4) for _, title in THIRDS),
        ),
        tuple(rows),
    )


def _groups(finding: Finding, size: tuple[float, ...]) -> dict[str, Figure] | None:
    table = advantages(finding)
    if table is None or table.shape[1] != len(size):
        return None
    names = [f"{place:07d}" for place in range(len(size))]
    return terciles(
        table.ravel(),
        names * len(table),
        dict(zip(names, size, strict=True)),
        np.repeat(np.arange(len(table)), len(size)).tolist(),
        direction=Direction.HIGHER,
    )


def _cell(group: Figure | None) -> Cell:
    if group is None or group.mean is None:
        return Cell(say("nobody"))
    bounds = (("at least", group.at_least), ("at most", group.at_most))
    said = [f"{word} {number(end)}" for word, end in bounds if end is not None]
    ends = ", ".join(said) or f"no interval: {group.undefined}"
    if group.lower is not None and group.upper is not None:
        # Nobody can gain more than everything; few patients make an interval that says so.
        ends = f"{number(group.lower)} to {number(min(group.upper, 1.0))}"
    return Cell(
        say(strong(number(group.mean)), ranged(f" ({ends}; n = {group.n_patients})")),
        order=group.mean,
    )
