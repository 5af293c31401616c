"""Section 2: the decision. The tool leaves it blank; people fill it."""

from __future__ import annotations

from .blocks import Blanks, Column, Form, Paragraph, Section, say


def decision() -> Section:
    """Lines for the people who sign."""
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
