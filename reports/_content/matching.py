"""Section 7: the re-identification curve, for the victim that leaks most under each setting."""

from __future__ import annotations

from dataclasses import replace

from .._figures.matching import Matched, match_curves
from .blocks import Figure, say
from .evidence_index import Index, Question, actor, owner
from .standouts import told_apart
from .whose import held_against, of_100
from .wording import joined


def matching(index: Index, question: Question, key: str) -> Figure | None:
    """Patients among the first guesses, by setting; None where no attack names candidates."""
    curves: dict[str, Matched] = {}
    victims, truth = [], []
    asked, chance = None, None
    for setting in index.settings:
        worst = index.worst(question, setting)
        finding = index.finding(worst) if worst is not None else None
        if finding is None or not finding.match_curve:
            continue
        curves[setting] = Matched(index.title(setting), finding.match_curve)
        victims.append(owner(finding.victim))
        asked = asked or finding.question
        if finding.ceiling_estimate is not None:
            truth.append(of_100(finding.ceiling_estimate))
        chance = finding.chance if chance is None else chance
    if not curves:
        return None
    named, grey = told_apart(index, {s: curve.shares[0] for s, curve in curves.items()})
    title = f"{actor(question.adversary)}: patients found by number of guesses"
    told = "; ".join(
        f"{curve.label} ({victim}): "
        + ", ".join(
            f"{100 * curve.shares[k - 1]:.0f} of 100 in {k}"
            for k in sorted({1, min(5, len(curve.shares)), len(curve.shares)})
        )
        for curve, victim in zip(curves.values(), victims, strict=True)
    )
    held = held_against(asked or question.adversary.question)
    ceiling = (
        f"From the true images the same picker names {joined(list(dict.fromkeys(truth)))} of 100 "
        "first: its ceiling. "
        if truth
        else ""
    )
    who = joined(list(dict.fromkeys(victims)))
    return Figure(
        f"matching-{key}",
        say(
            "Re-identification: of 100 patients, how many are among the candidates the actor names "
            f"first, from what {who} sends, {held}. {ceiling}A curve on the dashed line is "
            "guessing; one at the top left names nearly everybody at once. Higher is worse." + grey
        ),
        match_curves(title, [replace(c, named=s in named) for s, c in curves.items()], chance),
        f"{title}. {told}. Guessing: "
        + ("not recorded." if chance is None else f"{100 * chance:.3g} of 100 at the first."),
    )
