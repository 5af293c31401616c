"""Section 10: what to do, ranked by what it was measured to do."""

from __future__ import annotations

from dataclasses import dataclass

from leakaudit.record.changes import Difference

from .blocks import (
    Block,
    Callout,
    Cell,
    Column,
    Items,
    Paragraph,
    Rich,
    Section,
    Table,
    say,
    strong,
)
from .evidence_index import Index, Question, actor, owner
from .least_defense import answered
from .paired import leakage_difference, utility_difference
from .standouts import MANY
from .wording import ASSET, WORD, bracket, joined, number


@dataclass(frozen=True)
class Effect:
    """What one setting did for one question, against the undefended split."""

    setting: str
    victim: str
    before: float
    after: float
    leakage: Difference
    dice: Difference | None


def recommendations(index: Index) -> Section:
    """Per actor and asset, settings by measured effect, then what the evidence asks for."""
    blocks: list[Block] = []
    if index.undefended is None:
        blocks.append(
            Callout(
                "No undefended setting",
                say("The audit has no setting without defenses, so no effect can be measured."),
                "caution",
            )
        )
    elif len(index.settings) < 2:
        blocks.append(
            Paragraph(
                say("Only the undefended split was audited: add defense settings to compare.")
            )
        )
    blocks += answered(index)
    ranked = {question: effects(index, question) for question in index.questions}
    if any(ranked.values()):
        blocks.append(
            Paragraph(
                say(
                    "Ranked by how much less leaks, for the victim that leaks most without a "
                    "defense. Effects are paired on the same patients; brackets are 95 % "
                    "intervals, or bounds from one side where patients or seeds are too few."
                )
            )
        )
        blocks += [Paragraph(_lead(index, q, found)) for q, found in ranked.items() if found]
        blocks.append(_table(index, ranked))
    if index.useless:
        left_out = [index.title(name) for name in index.settings if name in index.useless]
        floor = index.record.answer.least_dice if index.record.answer is not None else None
        blocks.append(
            Paragraph(
                say(
                    f"Not ranked, for Dice is {_too_low(floor)}: "
                    f"{joined(left_out)}. A network that segments nothing is no protection."
                )
            )
        )
    blocks.append(Items(tuple(_asked(index))))
    return Section("10", "Recommendations", tuple(blocks))


def _too_low(floor: float | None) -> str:
    if floor is None:
        return "no better than that of an empty or a full mask"
    return f"surely below the floor of {number(floor)}"


def effects(index: Index, question: Question) -> list[Effect]:
    """Measured effects of settings of some use, largest fall in leakage first."""
    if index.undefended is None:
        return []
    bare = index.worst(question, index.undefended)
    without = index.finding(bare) if bare is not None else None
    if bare is None or without is None:
        return []
    found = []
    for setting in index.settings:
        if setting == index.undefended or setting in index.useless:
            continue
        verdict = next(
            (v for v in index.verdicts(question, setting) if v.victim == bare.victim), None
        )
        with_it = index.finding(verdict) if verdict is not None else None
        leakage = None if with_it is None else leakage_difference(with_it, without)
        if verdict is None or with_it is None or leakage is None:
            continue
        before = (without.advantage or without.estimate).mean
        after = (with_it.advantage or with_it.estimate).mean
        found.append(
            Effect(setting, bare.victim, before, after, leakage, _dice_change(index, setting))
        )
    return sorted(found, key=lambda effect: effect.leakage.mean)


def _dice_change(index: Index, setting: str) -> Difference | None:
    bare = index.dice(index.undefended) if index.undefended else None
    with_it = index.dice(setting)
    return None if bare is None or with_it is None else utility_difference(with_it, bare)


def _lead(index: Index, question: Question, found: list[Effect]) -> Rich:
    best = found[0]
    name = strong(f"{actor(question.adversary)}, {ASSET[question.asset]}: ")
    most = best.leakage.ends[1]
    if most is None or most >= 0:
        return say(name, "no setting was shown to lower the leakage.")
    dice = "Dice not measured" if best.dice is None else f"Dice {bracket(best.dice)}"
    text = (
        f": leakage {number(best.before)} to {number(best.after)} ({owner(best.victim)}), change "
        f"{bracket(best.leakage)}; {dice}."
    )
    rivals = [index.title(e.setting) for e in found[1:] if e.leakage.overlaps(best.leakage)]
    if len(rivals) > MANY:
        text += f" Its interval overlaps those of {len(rivals)} others: the order is not settled."
    elif rivals:
        text += f" Its interval overlaps that of {', '.join(rivals)}: the order is not settled."
    return say(name, strong(index.title(best.setting)), text)


def _table(index: Index, ranked: dict[Question, list[Effect]]) -> Table:
    rows = []
    brief = len(index.settings) > MANY
    overlap = (
        " Where the last column is empty, the interval overlaps that of the rank above, and the "
        "order of the two is not settled."
    )
    for question, found in ranked.items():
        for rank, effect in enumerate(found):
            settled = "" if rank == 0 else _against(found[rank - 1], effect, brief=brief)
            rows.append(
                (
                    Cell(say(f"{actor(question.adversary)}, {ASSET[question.asset]}")),
                    Cell(say(str(rank + 1)), order=rank + 1),
                    Cell(say(strong(index.title(effect.setting)))),
                    Cell(
                        say(f"{number(effect.before)} to {number(effect.after)}"),
                        order=effect.after,
                    ),
                    Cell(say(bracket(effect.leakage)), order=effect.leakage.mean),
                    Cell(
                        say("not measured" if effect.dice is None else bracket(effect.dice)),
                        order=None if effect.dice is None else effect.dice.mean,
                    ),
                    Cell(say(settled)),
                )
            )
    return Table(
        "effects",
        say("Measured effect of each setting against the undefended split." + overlap * brief),
        (
            Column("Actor, asset", weight=1.3),
            Column("Rank", numeric=True, weight=0.5),
            Column("Setting", weight=1.2),
            Column("Leakage", numeric=True),
            Column("Change in leakage", numeric=True, weight=1.4),
            Column("Change in Dice", numeric=True, weight=1.4),
            Column("Against the rank above", weight=1.2),
        ),
        tuple(rows),
    )


def _against(above: Effect, below: Effect, *, brief: bool) -> str:
    """How an effect stands to the one ranked above; of many, only where the order is settled."""
    if above.leakage.overlaps(below.leakage):
        return "" if brief else "intervals overlap: the order is not settled"
    return "intervals do not overlap"


def _asked(index: Index) -> list[Rich]:
    """What each verdict that is not settled asks for."""
    asked: list[Rich] = []
    for question in index.questions:
        values = {v.verdict for v in index.verdicts(question)}
        name = f"{actor(question.adversary)}, {ASSET[question.asset]}: "
        if "inconclusive" in values:
            asked.append(
                say(name, f"{WORD['inconclusive']} for some settings: add patients or seeds, or "
                    "give the attack more steps, before relying on them.")
            )  # fmt: skip
        if "attack invalid" in values:
            asked.append(say(name, "mend the attack (section 11) and run again: no evidence yet."))
    for adversary in index.record.adversaries:
        untested = [
            ASSET[question.asset]
            for question in index.questions
            if question.adversary == adversary
            and any(v.verdict == "not tested" for v in index.verdicts(question))
        ]
        if untested:
            asked.append(
                say(
                    f"{actor(adversary)}, {joined(untested)}: not tested. Add an attack that goes "
                    "for it; where none can be mounted, decide whether this actor could come to "
                    "know more, and grant it in a second audit if so."
                )
            )
    asked.append(say("Have the conditions of section 2 name an owner for every item above."))
    return asked
