"""Which cut leaks, to which attack, under which setting: one matrix per actor and asset."""

from __future__ import annotations

from leakaudit.record import Estimate, VerdictValue
from leakaudit.record.cuts import cuts_text

from .._figures.matrix import Entry, Line, matrix
from .blocks import Figure, say
from .evidence_index import Index, Question, actor
from .wording import ASSET, interval, number


def level_matrix(index: Index, question: Question, key: str) -> Figure | None:
    """Advantage of every setting and attack at every set of cuts, worst victim each."""
    found: dict[tuple[str, str], dict[tuple[str, ...], Estimate]] = {}
    metric = next((v.metric for v in index.verdicts(question) if v.metric is not None), None)
    region = next((v.region for v in index.verdicts(question) if v.region is not None), None)
    for finding in index.findings(question, metric=metric):
        if finding.advantage is None or region not in (None, finding.region):
            continue
        row = found.setdefault((finding.defense, finding.attack), {})
        sent = _column(index, finding.cuts)
        if sent not in row or row[sent].mean < finding.advantage.mean:
            row[sent] = finding.advantage
    if not found:
        return None
    columns = sorted(
        {cuts for row in found.values() for cuts in row},
        key=lambda cuts: (len(cuts), [(index.depth(name), name) for name in cuts]),
    )
    if len(columns) < 2:
        return None
    threshold = index.verdicts(question)[0].threshold
    lines = [
        Line(
            index.title(setting),
            attack,
            tuple(
                _entry(row[cuts], threshold) if cuts in row else _absent(index, setting, cuts)
                for cuts in columns
            ),
        )
        for (setting, attack), row in sorted(
            found.items(), key=lambda pair: _place(index, pair[0][0])
        )
    ]
    title = f"{actor(question.adversary)}, {ASSET[question.asset]}: advantage by cut"
    told = "; ".join(
        f"{line.setting}, {line.attack}: "
        + ", ".join(
            f"{name_of(cuts, columns)} "
            + (entry if isinstance(entry, str) else number(entry.value))
            for cuts, entry in zip(columns, line.entries, strict=True)
        )
        for line in lines
    )
    return Figure(
        f"matrix-{key}",
        say(
            "Advantage over blind by cut and setting, for the victim that leaks most in each "
            f"cell. Triangle: surely above blind; ring: surely within X = {number(threshold)}; "
            "half "
            "disc: neither is sure. The verdict also asks whether the controls held."
        ),
        matrix(title, [name_of(cuts, columns) for cuts in columns], lines),
        f"{title}. {told}.",
    )


def _column(index: Index, cuts: tuple[str, ...]) -> tuple[str, ...]:
    """All that crosses under a setting shares one column, also where a cut is withheld."""
    return tuple(cut.name for cut in index.record.split.cuts) if len(cuts) > 1 else cuts


def name_of(cuts: tuple[str, ...], columns: list[tuple[str, ...]]) -> str:
    """`all sent` for the longest set."""
    return "all sent" if len(cuts) > 1 and cuts == columns[-1] else cuts_text(cuts)


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


def _absent(index: Index, setting: str, cuts: tuple[str, ...]) -> str:
    cost = next((c for c in index.record.costs if c.setting == setting), None)
    if cost is None:
        return "not attacked"
    crossing = {route.cut for route in cost.routes if not route.at_head}
    return "not attacked" if crossing & set(cuts) else "not sent"
