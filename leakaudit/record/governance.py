"""What the people behind an audit state about the processing: nothing of it can be measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from leakaudit.record.part import Part

Statement = Annotated[str, Field(max_length=20_000)]
"""Free text as people wrote it; empty: they stated nothing."""


class Governance(Part):
    """What the controllers state: reports print it as theirs, `not stated` where it is empty."""

    controllers: tuple[Statement, ...] = Field(
        default=(), description="who decides on purposes and means, alone or jointly"
    )
    processors: tuple[Statement, ...] = Field(
        default=(), description="who processes on their behalf, such as whoever runs the server"
    )
    purpose: Statement = Field(default="", description="what the network is trained for")
    legal_basis: Statement = Field(
        default="", description="why the processing is lawful, such as the articles relied on"
    )
    retention: Statement = Field(
        default="", description="how long messages are kept, by whom, and how they are deleted"
    )
    transport_security: Statement = Field(
        default="", description="how messages are protected on their way"
    )
    site_filters: Statement = Field(
        default="",
        description="which filters of the sites the audited messages had passed, if any",
    )
