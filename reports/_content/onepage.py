"""Section 1: one page in plain words. One answer per actor, never one number for all."""

from __future__ import annotations

from leakaudit.record.model import AdversarySummary, Verdict

from .._figures.icons import hundred
from .blocks import (
    Block,
    Callout,
    Card,
    Cell,
    Column,
    Figure,
    Panels,
    Paragraph,
    Rich,
    Section,
    Table,
    say,
    strong,
)
from .caveats import biggest_caveat
from .evidence_index import Index, Question, actor, owner
from .frequencies import Frequency, beaten_blind, picked_out
from .gallery import worst_row
from .tradeoff import map_of
from .wording import ASSET, WORD, count, interval, number

GOAL = {
    "identity": "Pick out whose image it is",
    "images": "Rebuild the image",
    "masks": "Rebuild the lesion mask",
    "membership": "Tell who was in training",
    "attribute": "Tell a property of the patient",
}


def one_page(index: Index, shots: dict[str, bytes]) -> Section:
    """The page that a reader who reads one page reads."""
    record = index.record
    blocks: list[Block] = [
        Paragraph(
            say(
                "What each actor could learn about patients from the messages of this split, as far "
                "as the attacks of section 6 show. Each answer speaks of the victim that leaks most. "
                "Higher is worse in every figure on this page."
            ),
            lead=True,
        ),
        biggest_caveat(index),
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
    pictures = [
        figure
        for figure in (
            _icons(index),
            map_of(index, index.questions[0]) if index.questions else None,
        )
        if figure is not None
    ]
    blocks += pictures
    row = worst_row(index, shots)
    if row is not None:
        blocks.append(row)
    return Section("1", "In plain words", tuple(blocks))


def _card(index: Index, adversary: AdversarySummary) -> Card:
    questions = [q for q in index.questions if q.adversary.name == adversary.name]
    first = index.undefended or (index.settings[0] if index.settings else "")
    found = [v for q in questions for v in index.verdicts(q, first)]
    blocks: list[Block] = [Paragraph(_sentences(index, question, first)) for question in questions]
    if questions:
        blocks.append(_table(index, adversary, questions))
    else:
        blocks.append(Paragraph(say("No attack was mounted for this actor: nothing is known.")))
    behaviour = "follows the protocol" if adversary.behaviour == "passive" else "may cheat"
    return Card(
        f"{actor(adversary)} ({adversary.name}, {behaviour})", index.gravest(found), tuple(blocks)
    )


def _sentences(index: Index, question: Question, setting: str) -> Rich:
    worst = index.worst(question, setting)
    start = "Without a defense: " if setting == index.undefended else f"With {setting}: "
    if worst is None:
        return say(start, f"no verdict on {ASSET[question.asset]}.")
    if worst.verdict in {"not tested", "attack invalid"}:
        return say(
            start, f"{ASSET[question.asset]} of {owner(worst.victim)}: ",
            strong(WORD[worst.verdict]), ". ", worst.reason.rstrip("."), ".",
        )  # fmt: skip
    found = frequency(index, worst)
    if found is None:
        return say(
            start, f"{ASSET[question.asset]} of {owner(worst.victim)}: ",
            strong(WORD[worst.verdict]), f", advantage {_advantage(worst)}.",
        )  # fmt: skip
    who = actor(question.adversary)
    if question.asset == "identity":
        guess = found.guessing_of_100
        guessing = "" if guess is None else f"; guessing gives {_guess(index, worst, guess)}"
        return say(
            start, "of 100 patients, ", who[0].lower() + who[1:], " could pick out ",
            strong(str(found.of_100)), f" from what {owner(worst.victim)} sends{guessing}. ",
            _range(found),
        )  # fmt: skip
    return say(
        start, "for ", strong(f"{found.of_100} of 100"), f" patients the attack rebuilt the "
        f"{ASSET[question.asset]} of {owner(worst.victim)} clearly better than the best guess made "
        f"without the messages (advantage above {number(worst.threshold)}). ", _range(found),
    )  # fmt: skip


def _guess(index: Index, verdict: Verdict, guess: int) -> str:
    finding = index.finding(verdict)
    if guess > 0 or finding is None or not finding.chance:
        return str(guess)
    return f"fewer than 1 ({number(100 * finding.chance)})"


def _range(found: Frequency) -> str:
    if found.low_of_100 is None or found.high_of_100 is None:
        return f"No interval: {count(found.patients, 'patient')} only."
    return (
        f"With 95 % confidence between {found.low_of_100} and {found.high_of_100} of 100 "
        f"({count(found.patients, 'patient')} attacked)."
    )


def frequency(index: Index, verdict: Verdict) -> Frequency | None:
    """The natural frequency behind a verdict."""
    finding = index.finding(verdict)
    if finding is None:
        return None
    if finding.asset == "identity":
        return picked_out(finding)
    return beaten_blind(finding, verdict.threshold)


def _advantage(verdict: Verdict) -> str:
    if verdict.advantage is None:
        return "not measured"
    return f"{number(verdict.advantage.mean)} ({interval(verdict.advantage)})"


def _table(index: Index, adversary: AdversarySummary, questions: list[Question]) -> Table:
    rows = []
    for question in questions:
        cells = [Cell(say(strong(GOAL[question.asset])))]
        for setting in index.settings:
            worst = index.worst(question, setting)
            if worst is None:
                cells.append(Cell(say("no verdict")))
                continue
            found = frequency(index, worst)
            tail = ""
            if worst.verdict not in {"not tested", "attack invalid"} and found is not None:
                tail = f"{found.of_100} of 100 patients"
            cells.append(Cell(say(tail), verdict=worst.verdict))
        rows.append(tuple(cells))
    return Table(
        f"answers-{index.record.adversaries.index(adversary)}",
        say("The same question under every setting that was audited, for its worst victim."),
        (Column("Could this actor ...", weight=1.2), *(Column(s) for s in index.settings)),
        tuple(rows),
    )


def _icons(index: Index) -> Panels | None:
    question = next((q for q in index.questions if q.asset == "identity"), None)
    question = question or next(iter(index.questions), None)
    if question is None:
        return None
    figures: list[Figure] = []
    for setting in index.settings:
        worst = index.worst(question, setting)
        found = frequency(index, worst) if worst is not None else None
        if worst is None or found is None:
            continue
        text = f"{setting}: {found.of_100} of 100 patients"
        if found.high_of_100 is not None:
            text += f", at most {found.high_of_100}"
        figures.append(
            Figure(
                f"icons-{len(figures)}",
                say(),
                hundred(text, found.of_100, found.high_of_100),
                text,
                title=text,
            )
        )
    if not figures:
        return None
    done = "picked out" if question.asset == "identity" else "rebuilt better than blind"
    return Panels(
        "icons",
        say(
            strong("One hundred patients. "),
            f"{actor(question.adversary)}, {ASSET[question.asset]}: dark is {done}, pale reaches to "
            "the upper end of the 95 % interval, grey is the rest.",
        ),
        tuple(figures),
    )
