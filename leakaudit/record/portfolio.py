"""What an attack tried to read messages by, and what each way told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leakaudit.record.part import Number, Part


class PortfolioWay(Part):
    """One way to read messages, over all runs of an attack."""

    way: str = Field(description="in words; steps of undoing in their order")
    told: Number = Field(
        description="share of the images' variance that it tells of auxiliary patients it did not "
        "learn from, mean over runs: 1 is all, 0 the mean image, below it worse than that"
    )
    runs: int = Field(description="in how many runs of the attack it was tried")
    used: int = Field(description="in how many the guess was made by it")


class Portfolio(Part):
    """Ways to read one party's messages, weighed on auxiliary patients and never on victims."""

    setting: str = Field(description="label of the defense setting")
    adversary: str
    attack: str = Field(description="label of the attack")
    victim: str = Field(description="party whose messages they are")
    cuts: tuple[str, ...]
    kind: Literal["undoing", "decoder"] = Field(
        description="undoing: what may undo a code, by a quick regression at the cut's resolution; "
        "decoder: what reads the messages after it"
    )
    runs: int = Field(description="of the attack: seeds, and repeats of each")
    ways: tuple[PortfolioWay, ...] = Field(
        description="the best first; among them what was used, and messages as sent"
    )
    others: int = Field(default=0, description="ways that told less, and are not listed")
    skipped: dict[str, tuple[str, ...]] = Field(
        default={}, description="why ways could not be tried, to which"
    )
