"""Section 9: likelihood by a printed rule; severity is left to people."""

from __future__ import annotations

from leakaudit.record import Verdict
from leakaudit.record.held import HeldPolicy

from .blocks import (
    Block,
    Cell,
    Column,
    Items,
    Paragraph,
    Section,
    Subheading,
    Table,
    say,
    strong,
)
from .evidence_index import Index, actor, target
from .level_matrix import bounds
from .policy import held_against
from .wording import ASSET, number

LARGE = 0.5
"""Half of the way from the blind guess to a perfect attack."""
BOX = "☐"
SEVERITY = (
    ("negligible", "a nuisance that passes by itself;"),
    ("limited", "a real inconvenience, overcome with some effort;"),
    ("significant", "serious consequences, overcome with great difficulty;"),
    ("maximum", "consequences that may never be overcome."),
)
"""The four levels of the CNIL's method for impact assessments, in words of our own."""


def likelihood(verdict: Verdict) -> str:
    """The class of likelihood that the evidence supports."""
    if verdict.verdict == "none shown":
        return "low against these attacks"
    if verdict.verdict != "leak shown":
        return "unknown"
    lower = bounds(verdict.advantage)[0] if verdict.advantage is not None else None
    return "high" if lower is not None and lower >= LARGE else "moderate"


def risk(index: Index, policy: HeldPolicy | None = None) -> Section:
    """Inherent risk is that of the undefended split; residual, that of each setting.

    Args:
        index: the record.
        policy: what people tolerate, and how the audit stands to it.
    """
    rows = []
    for question in index.questions:
        bare = index.worst(question, index.undefended) if index.undefended else None
        for setting in index.settings:
            if setting == index.undefended and len(index.settings) > 1:
                continue
            worst = index.worst(question, setting)
            rows.append(
                (
                    Cell(say(strong(actor(question.adversary)))),
                    Cell(
                        say(
                            ASSET[question.asset]
                            if worst is None
                            else target(question.asset, worst.victim)
                        )
                    ),
                    Cell(say("not audited" if bare is None else likelihood(bare))),
                    Cell(say(index.title(setting))),
                    Cell(say("no verdict" if worst is None else likelihood(worst))),
                )
            )
    return Section(
        "9",
        "Inherent and residual risk",
        (
            Paragraph(say("Likelihood follows from the evidence by this rule, and by no other:")),
            Items(
                (
                    say(
                        strong("high"),
                        f": leak shown, and the lower bound of the advantage is {number(LARGE)} "
                        "or above;",
                    ),
                    say(strong("moderate"), ": leak shown, below that;"),
                    say(
                        strong("unknown"),
                        ": inconclusive, not tested, or attack invalid. Unknown is not low;",
                    ),
                    say(strong("low against these attacks"), ": not broken by these attacks."),
                )
            ),
            Table(
                "risk",
                say("Inherent: the undefended split. Residual: with the setting."),
                (
                    Column("Actor"),
                    Column("Asset", weight=1.2),
                    Column("Inherent likelihood"),
                    Column("Setting", weight=1.2),
                    Column("Residual likelihood"),
                ),
                tuple(rows),
            ),
            *severity(index),
            *(() if policy is None else held_against(policy)),
        ),
    )


def severity(index: Index) -> tuple[Block, ...]:
    """Four named levels to tick for each asset: the harm to a person is not a measurement."""
    assets = dict.fromkeys(question.asset for question in index.questions)
    if not assets:
        return ()
    boxes = tuple(Cell(say(BOX)) for _ in SEVERITY)
    return (
        Subheading("Severity, for people to tick", "severity-levels"),
        Paragraph(say("The harm to a person if it happens, whatever its likelihood:")),
        Items(tuple(say(strong(name), f": {meaning}") for name, meaning in SEVERITY)),
        Table(
            "severity",
            say("One tick a row. Nothing in this audit decides it."),
            (Column("Asset", weight=1.6), *(Column(name) for name, _ in SEVERITY)),
            tuple((Cell(say(strong(ASSET[asset]))), *boxes) for asset in assets),
        ),
    )
