"""Section 2: the decision. The tool leaves it blank; people fill it."""

from __future__ import annotations

from leakaudit.record.held import HeldPolicy

from .blocks import Blanks, Column, Form, Paragraph, Section, say
from .policy import in_short


def decision(policy: HeldPolicy | None = None) -> Section:
    """Lines for the people who sign.

    Args:
        policy: how the audit stands to what they, or others, allowed before.
    """
    return Section(
        "2",
        "Decision and conditions",
        (
            Paragraph(
                say(
                    "This page is for people. The audit gives evidence; whether the remaining risk "
                    "is acceptable, for whom and for what purpose, is not a measurement."
                )
            ),
            *(() if policy is None else (in_short(policy),)),
            Blanks(
                (("For which actors and which defense setting", 2),),
                choices=("approve", "approve with conditions", "reject", "refer"),
            ),
            Form(
                "Conditions",
                (Column("Condition", weight=3), Column("Owner"), Column("Due", weight=0.7)),
                4,
            ),
            Blanks(
                (
                    ("Advice of the data-protection officer", 3),
                    ("Valid until, or until one of the triggers of section 0", 1),
                )
            ),
            Form(
                "Signatures",
                (
                    Column("Name", weight=1.4), Column("Role", weight=1.2),
                    Column("Signature", weight=1.6), Column("Date", weight=0.7),
                ),
                2,
            ),
        ),
    )  # fmt: skip
