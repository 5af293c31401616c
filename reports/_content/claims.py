"""Formal guarantees put to the test: what was shown of each, and those that are refuted."""

from __future__ import annotations

from leakaudit.record import Bound, ClaimCheck

from .blocks import Block, Callout, Cell, Column, Table, say, strong
from .evidence_index import Index
from .wording import number


def refuted(index: Index) -> list[Block]:
    """A box for every guarantee that is false, and for every one that an attack contradicts."""
    return [
        *(
            Callout(
                f"A guarantee is contradicted: {index.title(bound.setting)}",
                say(
                    f"It lets at most {_amount(bound, bound.at_most)} through; measured were "
                    f"{_measured(bound)} ({bound.reason}). One of the two is wrong: this is an "
                    "error of this audit or of the defense, and neither figure may be used."
                ),
                "caution",
            )
            for bound in index.record.bounds
            if bound.contradicted
        ),
        *(_false(index, check) for check in index.record.claim_checks if check.refuted),
    ]


def limits_of_claims(index: Index) -> list[Block]:
    """What guarantees let through at most, beside what was measured; nothing where none is made."""
    bounds = index.record.bounds
    if not bounds:
        return []
    return [
        Table(
            "bounds",
            say(
                "What guarantees let through at most, beside what was measured. Identity: however "
                "somebody picks, no larger share of patients can be picked out. Information: all "
                "messages of a patient together carry no more bits. More than allowed, surely, "
                "would be an error."
            ),
            (
                Column("Setting", weight=1.2),
                Column("What", weight=1.5),
                Column("At most", weight=0.9),
                Column("Measured", weight=1.3),
                Column("Agree", weight=0.7),
            ),
            tuple(
                (
                    Cell(say(strong(index.title(bound.setting)))),
                    Cell(say(f"{bound.kind}, {_who(bound)}: {bound.reason}")),
                    Cell(say(_amount(bound, bound.at_most))),
                    Cell(say(_measured(bound))),
                    Cell(say(strong("no") if bound.contradicted else "yes")),
                )
                for bound in bounds
            ),
        )
    ]


def _who(bound: Bound) -> str:
    return bound.victim if bound.adversary is None else f"{bound.victim} by {bound.adversary}"


def _amount(bound: Bound, value: float) -> str:
    return f"{number(value)} bits" if bound.kind == "information" else number(value)


def _measured(bound: Bound) -> str:
    surely = "" if bound.at_least is None else f" (surely {number(bound.at_least)} or more)"
    return f"{_amount(bound, bound.measured)}{surely}"


def _false(index: Index, check: ClaimCheck) -> Callout:
    return Callout(
        f"A guarantee is false: {index.title(check.setting)}",
        say(
            f"It claims epsilon {number(check.claimed_epsilon)} at delta {check.delta:.1e}; "
            f"replaying it shows {_shown(check)} ({check.reason}). No answer under this "
            "setting may rest on the guarantee, and none says \u201cnone shown\u201d."
        ),
        "caution",
    )


def tested_claims(index: Index) -> list[Block]:
    """Every guarantee beside what its own mechanism showed; nothing where none is made."""
    checks = index.record.claim_checks
    if not checks:
        return []
    return [
        Table(
            "claims",
            say(
                "Guarantees put to the test. Worst-case messages pass the guards that were "
                "audited, many times; what comes out bounds the noise from above, and with it "
                "epsilon from below. The bound holds for noise of the kind that is claimed. "
                "\u201cCould show\u201d is the most that as many draws can show: a guarantee "
                "that stands was tested up to there, not proven."
            ),
            (
                Column("Setting", weight=1.1),
                Column("Claimed", weight=0.8),
                Column("Shown", weight=0.8),
                Column("Could show", weight=0.8),
                Column("How", weight=2),
                Column("Result", weight=1.4),
            ),
            tuple(_row(index, check) for check in checks),
        )
    ]


def _row(index: Index, check: ClaimCheck) -> tuple[Cell, ...]:
    most = check.largest_epsilon
    word = "refuted" if check.refuted else "not tested" if most is None else "stands"
    drawn = f", {check.draws:,} draws, {check.releases:,} releases" if check.draws else ""
    return (
        Cell(say(strong(index.title(check.setting)))),
        Cell(say(f"epsilon {number(check.claimed_epsilon)}, delta {check.delta:.1e}")),
        Cell(say(_shown(check))),
        Cell(say("nothing" if most is None else number(most))),
        Cell(say(f"{check.method}{drawn}")),
        Cell(say(strong(word), f": {check.reason}")),
    )


def _shown(check: ClaimCheck) -> str:
    if check.shown_epsilon is None:
        return "nothing"
    return f"at least {number(check.shown_epsilon)} ({100 * check.confidence:g} % sure)"
