"""How claims fared when what they rest on was replayed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leakaudit.record.part import Number, Part


class ClaimCheck(Part):
    """A control of kind claim: worst-case messages through the shipped guard, many times."""

    setting: str = Field(default="", description="label of the defense setting")
    mechanism: str = Field(description="as the claim names it")
    method: str = Field(description="how it was tested, in words")
    claimed_epsilon: Number
    delta: Number
    shown_epsilon: Number | None = Field(
        description="lower confidence bound on the epsilon that is really spent; null: not tested"
    )
    largest_epsilon: Number | None = Field(
        description="the most that as many draws could have shown; null: not tested"
    )
    confidence: Number = Field(default=0.975, description="of the lower bound, 0 to 1")
    draws: int = Field(ge=0, description="messages or guesses; 0: not tested")
    releases: int = Field(ge=0, description="releases of one patient, as counted by the control")
    refuted: bool = Field(description="the claim is false")
    reason: str = Field(description="in words")

    @property
    def doubt(self) -> str:
        """Why silence under the setting settles nothing; empty where the claim stands."""
        if not self.draws and not self.refuted:
            return (
                f"the claim of epsilon {self.claimed_epsilon:.4g} under {self.setting} was not "
                f"tested ({self.reason}): nobody knows whether the defense does what it says"
            )
        if not self.refuted:
            return ""
        return (
            f"the claim of epsilon {self.claimed_epsilon:.4g} under {self.setting} is refuted "
            f"({self.reason}): the defense does not do what it says"
        )


class Bound(Part):
    """What a claim allows at most, beside what was measured."""

    setting: str = Field(description="label of the defense setting")
    kind: Literal["identity", "information"] = Field(
        description="identity: share of patients picked out; information: bits about a patient"
    )
    adversary: str | None = Field(description="who picks; null for information")
    victim: str = Field(description="party whose activations are covered")
    at_most: Number
    measured: Number = Field(description="the strongest that was measured, mean")
    at_least: Number | None = Field(description="its lower bound; null where there is none")
    contradicted: bool = Field(description="surely more was measured than the claim allows")
    reason: str = Field(description="what was compared, in words")
