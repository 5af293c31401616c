"""What the presence control found: whether messages tell which image was sent."""

from __future__ import annotations

from pydantic import Field

from leakaudit.record.part import Estimate, Number, Part


class PresenceControl(Part):
    """Whether one party's messages under one setting tell which of two images was sent.

    A control of the judge's, who knows the images: each is asked about through the defense, and the
    answer is compared with what was recorded, under many descriptors.
    """

    setting: str = Field(description="label of the defense setting")
    victim: str = Field(description="party whose messages they are")
    cuts: tuple[str, ...] = Field(description="what crosses, all of it looked at")
    epochs: tuple[int, ...] = Field(description="recorded epochs that were looked at")
    rate: Estimate | None = Field(
        description="how often a message is more like its own image than like another patient's, "
        "by the comparison that tells auxiliary patients apart best; null: not run"
    )
    chance: Number = Field(default=0.5, description="rate of guessing")
    p: Number | None = Field(
        default=None,
        description="of the exact permutation test, corrected for all comparisons, epochs and "
        "seeds; null: not run",
    )
    level: Number = Field(description="p must not exceed it for the control to fire")
    fired: bool = Field(description="the messages surely carry the image")
    blind: bool = Field(
        default=False,
        description="so few patients could not have made it fire: its silence says nothing",
    )
    strongest: str = Field(default="", description="the comparison behind p, in words")
    unlike: tuple[str, ...] = Field(
        default=(),
        description="pseudonyms of patients whose messages, under half of the seeds or by far, are "
        "unlike anything that was queried: no attack learnt from their like",
    )
    in_clear: tuple[str, ...] = Field(
        default=(),
        description="pseudonyms of patients whose image a single channel shows, by scale and sign "
        "alone, better than anybody else's",
    )
    reason: str = Field(description="what it means, or why it was not run")
