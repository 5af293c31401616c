"""Which level leaks, to which attack, under which setting: one matrix per actor and asset."""

from __future__ import annotations

from leakaudit.record import SERVER, Estimate, VerdictValue

from .._figures.matrix import Entry, Line, matrix
from .blocks import Figure, say
from .evidence_index import Index, Question, actor
from .wording import ASSET, interval, levels_text, number


def level_matrix(index: Index, question: Question, key: str) -> Figure | None:
    """Advantage of every setting and attack at every set of levels, worst victim each."""
    found: dict[tuple[str, str], dict[tuple[int, ...], Estimate]] = {}
    metric = next((v.metric for v in index.verdicts(question) if v.metric is not None), None)
    region = next((v.region for v in index.verdicts(question) if v.region is not None), None)
    for finding in index.findings(question, metric=metric):
        if finding.advantage is None or region not in (None, finding.region):
            continue
        row = found.setdefault((finding.defense, finding.attack), {})
        sent = _column(index, finding.levels)
        if sent not in row or row[sent].mean < finding.advantage.mean:
            row[sent] = finding.advantage
    if not found:
        return None
    columns = sorted(
        {levels for row in found.values() for levels in row}, key=lambda c: (len(c), c)
    )
    if len(columns) < 2:
        return None
    threshold = index.verdicts(question)[0].threshold
    lines = [
        Line(
            index.title(setting),
            attack,
            tuple(
                _entry(row[levels], threshold) if levels in row else _absent(index, setting, levels)
                for levels in columns
            ),
        )
        for (setting, attack), row in sorted(
            found.items(), key=lambda pair: _place(index, pair[0][0])
        )
    ]
    title = f"{actor(question.adversary)}, {ASSET[question.asset]}: advantage by level"
    told = "; ".join(
        f"{line.setting}, {line.attack}: "
        + ", ".join(
            f"{name_of(levels, columns)} "
            + (entry if isinstance(entry, str) else number(entry.value))
            for levels, entry in zip(columns, line.entries, strict=True)
        )
        for line in lines
    )
    return Figure(
        f"matrix-{key}",
        say(
            "Advantage over blind by level and setting, for the victim that leaks most in each "
            f"cell. Triangle: surely above blind; ring: surely within X = {number(threshold)}; "
            "half "
            "disc: neither is sure. The verdict also asks whether the controls held."
        ),
        matrix(title, [name_of(levels, columns) for levels in columns], lines),
        f"{title}. {told}.",
    )


def _column(index: Index, levels: tuple[int, ...]) -> tuple[int, ...]:
    """All that crosses under a setting shares one column, also where a level is withheld."""
    return tuple(range(index.record.split.party_levels)) if len(levels) > 1 else levels


def name_of(levels: tuple[int, ...], columns: list[tuple[int, ...]]) -> str:
    """`all levels` for the longest set."""
    return "all sent" if len(levels) > 1 and levels == columns[-1] else levels_text(levels)


def _entry(estimate: Estimate, threshold: float) -> Entry:
    side: VerdictValue = "inconclusive"
    least, most = bounds(estimate)
    if least is not None and least > 0:
        side = "leak shown"
    elif most is not None and most <= threshold:
        side = "none shown"
    return Entry(estimate.mean, interval(estimate), side)


def _place(index: Index, setting: str) -> int:
    return index.settings.index(setting) if setting in index.settings else len(index.settings)


def bounds(estimate: Estimate) -> tuple[float | None, float | None]:
    """One-sided bounds where the record has them, the ends of the interval where not."""
    return (
        estimate.lower if estimate.one_sided_lower is None else estimate.one_sided_lower,
        estimate.upper if estimate.one_sided_upper is None else estimate.one_sided_upper,
    )


def _absent(index: Index, setting: str, levels: tuple[int, ...]) -> str:
    cost = next((c for c in index.record.costs if c.setting == setting), None)
    if cost is None:
        return "not attacked"
    crossing = {r.level for r in cost.routes if r.receiver == SERVER}
    return "not attacked" if crossing & set(levels) else "not sent"
