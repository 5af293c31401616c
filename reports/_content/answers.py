"""Page one's answers: what an actor gets under each setting, as words, counts and people."""

from __future__ import annotations

from leakaudit.record import AdversarySummary, Verdict
from leakaudit.record.bound import deciding_bound

from .._figures.icons import MOST, Hundred, hundreds
from .blocks import Cell, Column, Figure, Rich, Table, muted, say, strong
from .evidence_index import Index, Question
from .frequencies import Frequency, beaten_blind, picked_out, told_apart
from .standouts import MANY, standouts, told, works
from .whose import HOLDS
from .wording import ASSET, count, interval, joined, number

GOAL = {
    "identity": "Pick out whose image it is",
    "images": "Rebuild the image",
    "masks": "Rebuild the lesion mask",
    "membership": "Tell who was in training",
    "attribute": "Tell a property of the patient",
}
PAIRS = {
    "membership": "in training and one not",
    "attribute": "with what was asked about and one without",
}
"""Assets that are told of pairs: how the two patients of a pair differ."""
NO_NUMBER = {"not tested", "attack invalid"}
"""Verdicts behind which there is no number to print."""
ROWS = 8
"""Settings of a table on page one: of more, those that stand out are shown."""


def frequency(index: Index, verdict: Verdict) -> Frequency | None:
    """The natural frequency behind a verdict."""
    finding = index.finding(verdict)
    if finding is None:
        return None
    if finding.asset == "identity":
        return picked_out(finding)
    if finding.asset in PAIRS:
        return told_apart(finding)
    return beaten_blind(finding, verdict.threshold)


def advantage_text(verdict: Verdict) -> str:
    """`0.42 (0.38 to 0.46)`."""
    if verdict.advantage is None:
        return "not measured"
    return f"{number(verdict.advantage.mean)} ({interval(verdict.advantage)})"


def bound_text(verdict: Verdict) -> str:
    """`at most 0.09 (limit 0.10)`: the bound that decided; empty where none did."""
    return deciding_bound(verdict, number)


def small_but_sure(verdict: Verdict, found: Frequency) -> bool:
    """A leak on average that no single patient shows clearly: `0 of 100` would deny it."""
    return (
        verdict.verdict == "leak shown"
        and found.of_100 == 0
        and verdict.asset not in {"identity", *PAIRS}
    )


def answers(
    index: Index, adversary: AdversarySummary, questions: list[Question], untested: list[Question]
) -> Table:
    """One actor's goals by setting; past a few settings they are the rows, so that all fit."""
    key = f"answers-{index.record.adversaries.index(adversary)}"
    x = joined(sorted({number(v.threshold) for v in index.record.verdicts}), "or")
    if len(index.settings) > MANY:
        return _by_setting(index, key, x, [q for q in questions if q not in untested])
    return Table(
        key,
        say(f"Every setting that was audited, worst victim. Clearly better: advantage above {x}."),
        (
            Column("Could this actor \u2026", weight=1.2),
            *(Column(index.title(setting)) for setting in index.settings),
        ),
        tuple(
            (
                Cell(_goal(question)),
                *(_answer(index, question, s, dice=True) for s in index.settings),
            )
            for question in questions
        ),
    )


def _goal_text(question: Question) -> str:
    if question.asset != "identity":
        return GOAL[question.asset]
    return f"{GOAL['identity']}, by {HOLDS[question.adversary.question]}"


def _goal(question: Question) -> Rich:
    if question.asset != "identity":
        return say(strong(GOAL[question.asset]))
    held = HOLDS[question.adversary.question]
    return say(strong(GOAL["identity"]), muted(f", by {held}"))


def _by_setting(index: Index, key: str, x: str, questions: list[Question]) -> Table:
    chosen = _chosen(index, questions)
    return Table(
        key,
        say(
            f"{_which(index, chosen)}, worst victim. Clearly better: advantage above {x}. A "
            "network that learnt nothing leaks nothing: read each answer with its Dice."
        ),
        (
            Column("Setting", weight=1.5),
            *(Column(_goal_text(question), weight=1.4) for question in questions),
            Column(f"Dice {index.main_region}"),
        ),
        tuple(
            (
                Cell(_named(index, setting, why)),
                *(_answer(index, question, setting, dice=False) for question in questions),
                Cell(say(_dice(index, setting))),
            )
            for setting, why in chosen.items()
        ),
    )


def _which(index: Index, chosen: dict[str, str]) -> str:
    left_out = len(index.settings) - len(chosen)
    if not left_out:
        return "Every setting that was audited"
    broken = sum(not works(index, s) for s in index.settings if s not in chosen)
    lost = f" ({broken} with a network that no longer works)" if broken else ""
    return (
        f"The settings that stand out; the other {left_out} of {len(index.settings)} stand in "
        f"section 7{lost}"
    )


def _named(index: Index, setting: str, why: str) -> Rich:
    return say(strong(index.title(setting)), muted(f" ({why})" if why else ""))


def _chosen(index: Index, questions: list[Question]) -> dict[str, str]:
    """The rows of an actor's table, in the order of the record, and why each is there."""
    if len(index.settings) <= ROWS:
        return dict.fromkeys(index.settings, "")
    found: dict[str, dict[str, list[str]]] = {}
    for question in questions:
        by_setting = leaks(index, question)
        # What leaks least of all may be a network that learnt nothing: shown, with its Dice.
        least = min(by_setting, key=lambda setting: by_setting[setting], default="")
        for setting, why in {least: "", **standouts(index, by_setting)}.items():
            for part in filter(None, why.split(", ")):
                found.setdefault(setting, {}).setdefault(part, []).append(ASSET[question.asset])
            found.setdefault(setting, {})
    kept = sorted(found, key=lambda setting: setting != index.undefended)[:ROWS]
    return {s: _whys(found[s], len(questions)) for s in index.settings if s in kept}


def _whys(found: dict[str, list[str]], questions: int) -> str:
    """`recommended, leaks most of identity`: the assets only where a reason is not for all."""
    everywhere = {"recommended", "nearest to the targets"}
    return ", ".join(
        why
        if len(assets) == questions or why in everywhere
        else f"{why} {'for' if why == 'median' else 'of'} {joined(assets)}"
        for why, assets in found.items()
    )


def leaks(index: Index, question: Question) -> dict[str, float]:
    """Advantage of the worst victim by setting, where there is one."""
    return {
        setting: worst.advantage.mean
        for setting in index.settings
        if (worst := index.worst(question, setting)) is not None and worst.advantage is not None
    }


def _answer(index: Index, question: Question, setting: str, *, dice: bool) -> Cell:
    worst = index.worst(question, setting)
    if worst is None:
        return Cell(say("no verdict"))
    found = frequency(index, worst)
    tail = ""
    if worst.verdict == "none shown":
        tail = "" if bound_text(worst) else f"advantage {advantage_text(worst)}"
    elif worst.verdict not in NO_NUMBER and found is not None:
        who = "pairs" if question.asset in PAIRS else "patients"
        tail = f"{found.of_100} of 100 {who}"
        if small_but_sure(worst, found):
            tail = "small but sure: on average, for no single patient clearly"
        if worst.patients_said:
            tail = f"{worst.patients_said}, whatever the mean of all"
    bound = bound_text(worst)
    tail = "; ".join(filter(None, (tail, bound and f"advantage {bound}")))
    if dice and not works(index, setting):
        tail += f"{'; ' if tail else ''}Dice {_dice(index, setting)}"
    return Cell(say(tail), verdict=worst.verdict)


def _dice(index: Index, setting: str) -> str:
    dice = index.dice(setting)
    lost = "" if works(index, setting) else ": the network no longer works"
    return ("not measured" if dice is None else number(dice.estimate.mean)) + lost


def icons(index: Index, question: Question) -> tuple[Figure, str] | None:
    """A hundred people for each of a few settings, and which they are where some are left out."""
    groups = {}
    for setting in index.settings:
        worst = index.worst(question, setting)
        found = frequency(index, worst) if worst is not None else None
        if question.asset in PAIRS:
            continue
        if worst is not None and found is not None and worst.verdict not in NO_NUMBER:
            groups[setting] = Hundred(index.title(setting), found.of_100, found.high_of_100)
    if not groups:
        return None
    chosen, said = list(groups), ""
    if len(groups) > MOST:
        whys = standouts(index, {s: float(g.of_100) for s, g in groups.items()})
        whys = dict(list(whys.items())[:MOST])
        chosen = list(whys)
        said = f" Of {count(len(groups), 'setting')} these are drawn: {told(index, whys)}."
    shown = [groups[setting] for setting in chosen]
    text = "; ".join(f"{g.label}: {g.of_100} of 100 patients" for g in shown)
    return Figure("icons", say(), hundreds(text, shown), f"{text}."), said
