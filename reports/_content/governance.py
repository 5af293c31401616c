"""What the controllers state about the processing: printed as theirs, never invented."""

from __future__ import annotations

from leakaudit.record import Governance

from .blocks import Block, Paragraph, Rich, Subheading, Terms, code, muted, say
from .wording import joined

NOT_STATED = "not stated"


def stated(text: str) -> Rich:
    """Somebody's words, or that there are none."""
    return say(text) if text.strip() else say(muted(NOT_STATED))


def governance(given: Governance) -> tuple[Block, ...]:
    """The part of section 3 that no measurement can fill."""
    return (
        Subheading("What the controllers state", "governance"),
        Paragraph(
            say(
                "In their words, from ",
                code("[governance]"),
                " of the configuration; the audit checked none of it.",
            )
        ),
        Terms(
            (
                ("Controllers", stated(joined(given.controllers))),
                ("Processors", stated(joined(given.processors))),
                ("Purpose", stated(given.purpose)),
                ("Legal basis", stated(given.legal_basis)),
                ("How long messages are kept in production", stated(given.retention)),
                ("Protection of messages on their way", stated(given.transport_security)),
                ("Filters of the sites that the messages had passed", stated(given.site_filters)),
            )
        ),
    )
