"""The table of utility and cost by setting."""

from __future__ import annotations

from collections.abc import Callable

from leakaudit.record import Utility

from .blocks import Cell, Column, Rich, Table, ranged, say, strong
from .evidence_index import Index
from .wording import interval, number, size


def utility_table(index: Index) -> Table:
    """Dice, HD95, bytes sent, time and memory: a row per setting, then per reference."""
    regions = list(dict.fromkeys(u.region for u in index.record.utility if u.metric == "dice"))
    measured = {u.metric for u in index.record.utility}
    further = [name for name in ("dice over all pixels", "hd95") if name in measured]
    rows = []
    for setting in (*index.settings, *index.references):
        cells = [Cell(say(strong(index.title(setting))))]
        cells += [_number(index.utility(setting, "dice", region)) for region in regions]
        cells += [_number(index.utility(setting, metric)) for metric in further]
        cost = next((c for c in index.record.costs if c.setting == setting), None)
        cells.append(
            Cell(say("nothing crosses"))
            if cost is None
            else Cell(say(size(cost.bytes_per_patient)), order=cost.bytes_per_patient)
        )
        clock = index.record.volatile
        seconds = clock.seconds_per_step.get(setting)
        memory = clock.peak_memory_bytes.get(setting)
        cells.append(_measured(seconds, lambda value: f"{value * 1000:,.0f} ms"))
        cells.append(_measured(memory, size))
        rows.append(tuple(cells))
    hd95 = next((u.unit for u in index.record.utility if u.metric == "hd95"), "")
    titles = {
        "dice over all pixels": f"Dice {index.main_region}, all pixels",
        "hd95": f"HD95 {index.main_region}, {hd95}",
    }
    return Table(
        "utility",
        say(
            "Utility and cost by setting: mean over validation patients and its 95 % interval, or "
            "bounds. "
            "Higher Dice is better, lower HD95 is better. Bytes are per patient and epoch; time is "
            "that of one training step, memory the peak of the whole process, both on the machine "
            "that ran it. A "
            "number "
            "without an interval has none: one patient, or pixels of all patients together."
        ),
        (
            Column("Setting", weight=1.4),
            *(Column(f"Dice {region}", numeric=True) for region in regions),
            *(Column(titles[name], numeric=True) for name in further),
            Column("Sent", numeric=True, weight=0.8),
            Column("Step", numeric=True, weight=0.8),
            Column("Memory", numeric=True, weight=0.8),
        ),
        tuple(rows),
        sortable=True,
        note=_excluded(index),
    )


def _measured(value: float | None, told: Callable[[float], str]) -> Cell:
    if value is None:
        return Cell(say("not measured"))
    return Cell(say(told(value)), order=value)


def _number(utility: Utility | None) -> Cell:
    if utility is None:
        return Cell(say("not measured"))
    places = 1 if utility.metric == "hd95" else 2
    estimate = utility.estimate
    ends = "" if estimate.lower is None else f" ({interval(estimate, places)})"
    return Cell(say(strong(number(estimate.mean, places)), ranged(ends)), order=estimate.mean)


def _excluded(index: Index) -> Rich:
    excluded = sum(u.excluded for u in index.record.utility)
    if not excluded:
        return ()
    return say(
        f"{excluded:,} values are undefined (a region absent from mask and prediction, for "
        f"example) "
        "and are left out, not counted as 0."
    )
