"""Write the page on what a catalogue of attacks came to, from a finished audit's record.

    python benchmarks/attack_page.py RUN --out docs/results/attacks.md

Writes the page and, beside it, its effort curves as a picture. Everything is read from the record;
text that only a person can add belongs between the marks ``<!-- notes -->`` and ``<!-- /notes -->``
and is kept when the page is written again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from leakaudit.record import CurvePoint, Estimate, Finding, Record, read_record

PRIMARY = {
    ("images", "ssim", "foreground"),
    ("masks", "dice", "whole"),
    ("identity", "re-identification", "whole"),
    ("membership", "auc", "whole"),
    ("attribute", "auc", "whole"),
}
LABELS = {"ssim": "SSIM inside the head", "dice": "Dice", "auc": "AUC",
          "re-identification": "picked out"}  # fmt: skip
EXAMPLE = "examples/lgg-attacks.toml"
COLUMNS = 3
PANEL = (3.2, 2.4)  # inches
NOTES = re.compile(r"<!-- notes -->\n.*?<!-- /notes -->\n", re.DOTALL)
NO_NOTES = "<!-- notes -->\n<!-- /notes -->\n"

Series = tuple[str, str, str, str]


def page(record: Record, picture: str, notes: str) -> Iterator[str]:
    """The page's lines.

    Args:
        record: of the run.
        picture: file name of the effort curves.
        notes: what a person wrote, with its marks.
    """
    cohort = record.cohort
    yield f"# {record.title}"
    yield ""
    yield (
        f"{cohort.training.patients} training patients ({cohort.training.samples} samples), of "
        f"whom {len(cohort.victims)} were attacked; {cohort.auxiliary.patients} auxiliary, "
        f"{cohort.validation.patients} validation; {' x '.join(map(str, cohort.space))}; seeds "
        f"{', '.join(map(str, record.seeds))}. Made on {record.volatile.created[:10]} with "
        f"leakaudit {record.environment.leakaudit} by"
    )
    yield ""
    yield "<!-- not run: takes long and needs the LGG slices -->"
    yield "```bash"
    yield f"LEAKAUDIT_REAL_DATA=/where/it/is leakaudit run {EXAMPLE} --out runs/attacks"
    yield "python benchmarks/attack_page.py runs/attacks --out docs/results/attacks.md"
    yield "```"
    yield ""
    yield notes
    yield from _strongest(record)
    yield from _dice(record)
    yield from _not_mounted(record)
    yield from _effort(record, picture)


def _strongest(record: Record) -> Iterator[str]:
    yield "## What each attack got"
    yield ""
    yield (
        "Of every attack the victim and cuts that leaked most under each setting, by likeness "
        "and by whose image it is where both were measured; the best guess "
        "without any message in square brackets. *Advantage*: 0 is that guess, 1 a perfect attack. "
        "The choice of victim and cuts is not corrected for here: the verdicts of the report "
        "are. *Flat* says that more effort did not help; empty where that was not measured."
    )
    yield ""
    yield "| attack | by | setting | victim, cuts | measured | value | advantage | worst patient | flat |"  # noqa: E501
    yield "|---" * 9 + "|"
    groups: dict[Series, list[Finding]] = {}
    for finding in _leading(record):
        key = (finding.attack, finding.adversary, finding.defense, finding.asset)
        groups.setdefault(key, []).append(finding)
    for (attack, adversary, setting, _), found in sorted(groups.items(), key=_listed(record)):
        yield _row(attack, adversary, setting, max(found, key=_advantage))
    yield ""


def _row(attack: str, adversary: str, setting: str, best: Finding) -> str:
    worst, flat = best.estimate.worst, {True: "yes", False: "no", None: ""}[best.converged]
    blind = "undefined" if best.blind is None else f"{best.blind.mean:.2f}"
    where = f"{best.victim}, {_cuts(best)}"
    return (
        f"| {attack} | {adversary} | {setting} | {where} | {LABELS[best.metric]} "
        f"| {interval(best.estimate)} [{blind}] | {interval(best.advantage)} "
        f"| {'' if worst is None else f'{worst.value:.2f}'} | {flat} |"
    )


def _dice(record: Record) -> Iterator[str]:
    yield "## Dice"
    yield ""
    yield "| setting | region | mean (95 % interval) | patients | seeds |"
    yield "|---" * 5 + "|"
    for entry in record.utility:
        if entry.metric == "dice":
            estimate = entry.estimate
            yield (
                f"| {entry.setting} | {entry.region} | {interval(estimate)} | {estimate.patients} "
                f"| {estimate.seeds} |"
            )
    yield ""


def _not_mounted(record: Record) -> Iterator[str]:
    refused = [
        (adversary.name, each) for adversary in record.adversaries
        for each in adversary.not_mountable
    ]  # fmt: skip
    if not refused and not record.failures:
        return
    yield "## What could not be mounted, or broke"
    yield ""
    for name, each in refused:
        yield f"- {each.attack} by {name}: {each.reason}"
    for failure in record.failures:
        yield f"- {failure.where}: {failure.reason}"
    yield ""


def _effort(record: Record, picture: str) -> Iterator[str]:
    panels = curves(record)
    if not panels:
        return
    yield "## Effort"
    yield ""
    yield (
        "Quality by optimiser steps, or by auxiliary patients where the attack learns from them in "
        "closed form: an attack has converged where twice the effort gained next to nothing. "
        "Dashed: the blind guess. The band is the 95 % interval."
    )
    yield ""
    yield f"![Effort curves of every attack]({picture})"
    yield ""
    yield "| attack | setting | by | quality |"
    yield "|---|---|---|---|"
    for title, unit, found in panels:
        for finding, points in found:
            told = ", ".join(f"{p.effort}: {p.estimate.mean:.2f}" for p in points)
            yield f"| {title} | {finding.defense} | {unit} | {told} |"


def curves(
    record: Record,
) -> list[tuple[str, str, list[tuple[Finding, tuple[CurvePoint, ...]]]]]:
    """Panels: attack and actor, what its effort counts, and one curve per setting.

    Of each attack the victim and cuts that leaked most undefended.
    """
    kinds = (("optimiser steps", "curve"), ("auxiliary patients", "curve_auxiliary"))
    settings = [defense.label for defense in record.defenses]
    panels = []
    for attack in record.attacks:
        for adversary in record.adversaries:
            mine = [f for f in _leading(record)
                    if (f.attack, f.adversary) == (attack.label, adversary.name)]  # fmt: skip
            # Curves of what the attack goes for; whose image it is follows from that.
            mine = [f for f in mine if len(f.curve) + len(f.curve_auxiliary) > 0]
            if not mine:
                continue
            first = min((f.defense for f in mine), key=settings.index)
            best = max((f for f in mine if f.defense == first), key=_advantage)
            same = [_alike(best, setting, mine) for setting in settings]
            for unit, kind in kinds:
                drawn = [(f, getattr(f, kind)) for f in same if f and len(getattr(f, kind)) > 1]
                if drawn:
                    title = f"{attack.label} by {adversary.name}, {best.victim}, {_cuts(best)}"
                    panels.append((title, unit, drawn))
    return panels


def _alike(best: Finding, setting: str, mine: Sequence[Finding]) -> Finding | None:
    """The same victim and cuts under a setting; where those do not cross, the next best."""
    found = [f for f in mine if f.defense == setting and f.victim == best.victim]
    same = [f for f in found if f.cuts == best.cuts]
    return max(same or found, key=_advantage, default=None)


def draw(record: Record, file: Path) -> None:
    """The effort curves as one SVG, the same for the same record."""
    panels = curves(record)
    if not panels:
        return
    rows = -(-len(panels) // COLUMNS)
    style = {"svg.hashsalt": "leakaudit", "svg.fonttype": "none", "font.size": 7}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(COLUMNS * PANEL[0], rows * PANEL[1]), layout="constrained")
        for place, (title, unit, drawn) in enumerate(panels):
            axes = figure.add_subplot(rows, COLUMNS, place + 1)
            for number, (finding, points) in enumerate(drawn):
                efforts = [point.effort for point in points]
                lower, upper = zip(*(_band(point.estimate) for point in points), strict=True)
                colour = f"C{number}"
                axes.plot(efforts, [p.estimate.mean for p in points], "o-", color=colour,
                          markersize=3, label=finding.defense)  # fmt: skip
                axes.fill_between(efforts, lower, upper, color=colour, alpha=0.15)
            blind = drawn[0][0].blind
            if blind is not None:
                axes.axhline(blind.mean, color="0.4", linestyle="--")
            axes.set_title(title.replace(" by ", "\nby "))
            axes.set_xlabel(unit)
            axes.set_ylabel(LABELS[drawn[0][0].metric])
            axes.legend(fontsize=6)
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})


def _leading(record: Record) -> Iterator[Finding]:
    return (f for f in record.findings if (f.asset, f.metric, f.region) in PRIMARY)


def _advantage(finding: Finding) -> float:
    return float("-inf") if finding.advantage is None else finding.advantage.mean


def _listed(record: Record) -> Callable[[tuple[Series, object]], tuple[int, str, str, int]]:
    """As configured: attacks, then settings."""
    attacks = [attack.label for attack in record.attacks]
    settings = [defense.label for defense in record.defenses]
    return lambda item: (
        attacks.index(item[0][0]), item[0][1], item[0][3], settings.index(item[0][2]),
    )  # fmt: skip


def _cuts(finding: Finding) -> str:
    return ", ".join(finding.cuts)


def _band(estimate: Estimate) -> tuple[float, float]:
    mean = estimate.mean
    return (
        mean if estimate.lower is None else estimate.lower,
        mean if estimate.upper is None else estimate.upper,
    )


def interval(estimate: Estimate | None) -> str:
    """`0.87 (0.58 to 0.92)`."""
    if estimate is None:
        return "undefined"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.mean:.2f}"
    return f"{estimate.mean:.2f} ({estimate.lower:.2f} to {estimate.upper:.2f})"


def write(record: Record, out: Path) -> Iterable[Path]:
    """Write page and picture; what a person noted on the page is kept."""
    before = out.read_text(encoding="utf-8") if out.is_file() else ""
    kept = NOTES.search(before)
    picture = out.with_name(f"{out.stem}-effort.svg")
    draw(record, picture)
    lines = page(record, picture.name, NO_NOTES if kept is None else kept.group(0))
    out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return out, picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the page, a .md file")
    given = parser.parse_args()
    for written in write(read_record(given.run), given.out):
        sys.stdout.write(f"{written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
