"""Section 2: the decision. The tool leaves it blank; people fill it."""

from __future__ import annotations

from .blocks import Blanks, Paragraph, Section, say


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
                (
                    ("For which actors and which defense setting", 2),
                    ("Conditions, each with an owner and a date", 4),
                    ("Advice of the data-protection officer", 3),
                    ("Valid until, or until one of the triggers of section 0", 1),
                    ("Name, role, date, signature", 2),
                ),
                choices=("approve", "approve with conditions", "reject", "refer"),
            ),
        ),
    )
