"""Section 1: one page in plain words. One answer per actor, never one number for all."""

from __future__ import annotations

from dataclasses import replace

from leakaudit.record import AdversarySummary, Verdict

from .answers import (
    NO_NUMBER,
    PAIRS,
    advantage_text,
    answers,
    bound_text,
    frequency,
    icons,
    small_but_sure,
)
from .blocks import (
    Block,
    Callout,
    Card,
    Panels,
    Paragraph,
    Rich,
    Section,
    say,
    strong,
)
from .caveats import biggest_caveat, weaknesses
from .claims import refuted
from .evidence_index import Index, Question, actor, owner, target
from .excluded import excluded_first
from .frequencies import Frequency
from .gallery import worst_row
from .interference import price_of_cheating
from .trade_off_map import map_of, unnamed
from .whose import ceiling_sentence, held_against, question_of
from .wording import ASSET, WORD, count, joined, number


def one_page(index: Index, shots: dict[str, bytes]) -> Section:
    """The page that a reader who reads one page reads."""
    record = index.record
    blocks: list[Block] = [
        *excluded_first(index),
        Paragraph(
            say(
                "What each actor could learn about patients from the messages of this split, as "
                "far as the attacks of section 6 show: "
                f"{count(len(record.cohort.victims), 'patient')} attacked, each answer for the "
                "victim that leaks most. Higher is worse."
            ),
            lead=True,
        ),
        *refuted(index),
        biggest_caveat(index),
        *weaknesses(index),
    ]
    blocks += [_card(index, adversary) for adversary in record.adversaries]
    if not index.questions:
        blocks.append(
            Callout(
                "No verdict",
                say("This record holds no verdict: nothing can be said for or against the split."),
                "caution",
            )
        )
    drawn = _pictures(index)
    if drawn is not None:
        blocks.append(drawn)
    row = worst_row(index, shots)
    if row is not None:
        blocks.append(row)
    return Section("1", "In plain words", tuple(blocks))


def _pictures(index: Index) -> Panels | None:
    """The first question as people and as a trade-off."""
    question, people = next(
        ((q, drawn) for q in index.questions if (drawn := icons(index, q)) is not None),
        (None, None),
    )
    if question is None or people is None:
        return None
    found = [f for f in (people[0], map_of(index, question)) if f is not None]
    done = "picked out" if question.asset == "identity" else "rebuilt clearly better than blind"
    return Panels(
        "page-one",
        say(
            strong(f"{actor(question.adversary)}, {ASSET[question.asset]}. "),
            f"One hundred patients: dark is {done}, pale reaches to the most that a 95 % bound "
            f"leaves room for, grey is the rest.{people[1]} The map sets leakage against Dice: "
            "further left leaks less, further up segments better; section 8 has a map for every "
            "actor." + unnamed(index),
        ),
        tuple(replace(f, key=f"{f.key}-page-one", title="") for f in found),
    )


def _card(index: Index, adversary: AdversarySummary) -> Card:
    questions = [q for q in index.questions if q.adversary.name == adversary.name]
    first = index.undefended or (index.settings[0] if index.settings else "")
    found = [v for q in questions for v in index.verdicts(q, first)]
    untested = [q for q in questions if _untested(index, q)]
    blocks: list[Block] = [
        Paragraph(_sentences(index, question, first))
        for question in questions
        if question not in untested
    ]
    cost = price_of_cheating(index, adversary.name)
    if cost:
        blocks.append(Paragraph(cost))
    if untested:
        blocks.append(Paragraph(_not_tested(index, untested)))
    if len(untested) < len(questions):
        blocks.append(answers(index, adversary, questions, untested))
    behaviour = "follows the protocol" if adversary.behaviour == "passive" else "may cheat"
    return Card(
        f"{actor(adversary)} ({adversary.name}, {behaviour})",
        index.gravest(found),
        tuple(blocks),
        adversary.name,
    )


def _untested(index: Index, question: Question) -> bool:
    return all(verdict.verdict == "not tested" for verdict in index.verdicts(question))


def _not_tested(index: Index, questions: list[Question]) -> Rich:
    names = joined([ASSET[question.asset] for question in questions])
    reasons = {v.reason.rstrip(".") for q in questions for v in index.verdicts(q)}
    why = "; ".join(sorted(reason[:1].upper() + reason[1:] for reason in reasons))
    return say(
        f"{names[:1].upper()}{names[1:]}: ", strong("not tested"), " under any setting. ",
        f"{why}. Not tested does not mean that nothing can be learned.",
    )  # fmt: skip


def _sentences(index: Index, question: Question, setting: str) -> Rich:
    worst = index.worst(question, setting)
    start = "Without a defense: " if setting == index.undefended else f"With {setting}: "
    if worst is None:
        return say(start, f"no verdict on {ASSET[question.asset]}.")
    what = target(question.asset, worst.victim)
    word = strong(WORD[worst.verdict])
    if worst.verdict in NO_NUMBER:
        reason = worst.reason.rstrip(".")
        return say(start, what, ": ", word, f". {reason[:1].upper()}{reason[1:]}.")
    found = frequency(index, worst)
    if found is None or worst.verdict == "none shown":
        return say(
            start, what, ": ", word,
            f". Advantage {bound_text(worst) or advantage_text(worst)}, where 0 is the blind guess "
            "and 1 a perfect attack.",
        )  # fmt: skip
    doubt = " Inconclusive: chance could do it." if worst.verdict == "inconclusive" else ""
    if question.asset == "identity":
        who = actor(question.adversary)
        guess = found.guessing_of_100
        guessing = "" if guess is None else f"; guessing gives {_guess(index, worst, guess)}"
        return say(
            start, "of 100 patients, ", who[0].lower() + who[1:], " could pick out ",
            strong(str(found.of_100)), f"{_range(found)} from what {owner(worst.victim)} "
            f"sends, {held_against(question_of(question.adversary, index.finding(worst)))}"
            f"{guessing}{ceiling_sentence(index.finding(worst))}.", doubt,
        )  # fmt: skip
    if question.asset in PAIRS:
        return say(
            start, "of 100 pairs of patients, one ", PAIRS[question.asset], ", it could say "
            "rightly which is which for ", strong(str(found.of_100)),
            f"{_range(found)} from what {owner(worst.victim)} sends; guessing gives 50.", doubt,
        )  # fmt: skip
    if small_but_sure(worst, found):
        return say(
            start, "a ", strong("small but sure"), f" leak: the attack rebuilt the {what} better "
            "than the best guess without the messages on average (advantage "
            f"{advantage_text(worst)}, where 1 is a perfect attack), for no single patient "
            "clearly.",
        )  # fmt: skip
    return say(
        start, "for ", strong(f"{found.of_100} of 100"), f" patients{_range(found)} the attack "
        f"rebuilt the {what} clearly better than the best guess without the messages.", doubt,
    )  # fmt: skip


def _guess(index: Index, verdict: Verdict, guess: int) -> str:
    finding = index.finding(verdict)
    if guess > 0 or finding is None or not finding.chance:
        return str(guess)
    return f"fewer than 1 ({number(100 * finding.chance)})"


def _range(found: Frequency) -> str:
    low, high = found.low_of_100, found.high_of_100
    if found.two_sided:
        return f" (95 % interval {low} to {high})"
    said = [
        f"{word} {end}" for word, end in (("at least", low), ("at most", high)) if end is not None
    ]
    return f" ({', '.join(said) or count(found.patients, 'patient') + ' attacked'})"
