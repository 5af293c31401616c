"""Do patients with large or small lesions leak more? The mean may hide it."""

from __future__ import annotations

import numpy as np

from .blocks import Cell, Column, Table, say, strong
from .evidence_index import Index, Question, owner
from .frequencies import patient_advantages
from .paired import difference
from .wording import number

FEWEST = 6
"""Below this, thirds hold a single patient."""


def subgroups(index: Index, question: Question, key: str) -> Table | None:
    """Advantage by thirds of lesion size, for the worst victim under each setting."""
    size = np.array(index.record.cohort.lesion_fraction)
    rows = []
    for setting in index.settings:
        worst = index.worst(question, setting)
        finding = index.finding(worst) if worst is not None else None
        advantages = patient_advantages(finding) if finding is not None else None
        if worst is None or advantages is None or advantages.shape != size.shape:
            continue
        if len(size) < FEWEST or np.ptp(size) == 0:
            return None
        edges = np.quantile(size, [1 / 3, 2 / 3])
        group = np.digitize(size, edges)
        cells = [Cell(say(strong(setting))), Cell(say(owner(worst.victim)))]
        for third in range(3):
            chosen = advantages[group == third]
            summary = difference(chosen, np.zeros_like(chosen))
            if summary is None:
                cells.append(Cell(say("nobody")))
                continue
            ends = "no interval: one patient"
            if summary.lower is not None and summary.upper is not None:
                ends = f"{number(summary.lower)} to {number(summary.upper)}"
            cells.append(
                Cell(
                    say(strong(number(summary.mean)), f" ({ends}; {summary.patients})"),
                    order=summary.mean,
                )
            )
        rows.append(tuple(cells))
    if not rows:
        return None
    return Table(
        f"subgroups-{key}",
        say(
            "Advantage by lesion size: mean, 95 % interval, patients. Thirds of the attacked "
            "patients by the share of voxels inside any lesion."
        ),
        (
            Column("Setting", weight=1.3), Column("Victim", weight=0.8),
            Column("Small lesions", numeric=True, weight=1.4),
            Column("Middle", numeric=True, weight=1.4),
            Column("Large lesions", numeric=True, weight=1.4),
        ),
        tuple(rows),
    )  # fmt: skip
