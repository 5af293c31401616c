"""The audit record: the only thing that reports and gates read.

Every number in a report stands here, with its interval and the per-patient values behind it. A
failure is an entry of its own, never a number. No pixel and no patient's name is ever stored:
patients appear by pseudonym, pictures lie beside the record and only where the cohort allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from leakaudit.record.answer import Answer, SearchSummary, TradeOff
from leakaudit.record.claims import Bound, ClaimCheck
from leakaudit.record.costs import Cost, Utility
from leakaudit.record.governance import Governance
from leakaudit.record.leakage import (
    Control,
    Dependence,
    Failure,
    Finding,
    Interference,
    Picture,
    Verdict,
)
from leakaudit.record.part import Part
from leakaudit.record.portfolio import Portfolio
from leakaudit.record.power import Power
from leakaudit.record.presence import PresenceControl
from leakaudit.record.subject import (
    AdversarySummary,
    AttackSummary,
    CohortSummary,
    DefenseSummary,
    Environment,
    MetricSummary,
    SplitSummary,
    Volatile,
)

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = "2.1"
"""Minor: fields were added, all with defaults. 1.1: `match_curve`, `curve_auxiliary`, `trials`.
1.2: `trade_offs`, `answer`, `searches`. 1.3: targets that a policy's rules set (`kind`, `measure`,
`tail`, `rule`, `source`, `says`, `min`, and null for what a rule leaves open), `policy`;
`interferences`; `uncovered`. 1.4: `governance`; `doubts` and `single` of a verdict;
`claim_checks`; `presence`; `bounds`, and `parties`, `mu`, `bits_at_most` of a claim.
Major: something was renamed. 2.0: cuts by name in place of levels by number, in findings, controls,
verdicts, dependence, presence, routes and pictures; `split.cuts` for every model. 2.1:
`portfolios`."""


class Record(Part):
    """One audit, whole."""

    schema_version: str = SCHEMA_VERSION
    audit_id: str = Field(description="short hash of configuration and data")
    title: str
    content_sha256: str = Field(
        default="", description="SHA-256 over everything but this field and `volatile`"
    )
    command: str = Field(description="how to run it again")
    configuration_given: dict[str, Any]
    configuration_resolved: dict[str, Any]
    configuration_sha256: str
    environment: Environment
    seeds: tuple[int, ...]
    governance: Governance = Field(
        default=Governance(), description="what the controllers state; no audit checks it"
    )
    cohort: CohortSummary
    split: SplitSummary
    adversaries: tuple[AdversarySummary, ...]
    attacks: tuple[AttackSummary, ...]
    defenses: tuple[DefenseSummary, ...]
    claim_checks: tuple[ClaimCheck, ...] = Field(
        default=(), description="controls of kind claim: guarantees replayed on worst-case messages"
    )
    metrics: tuple[MetricSummary, ...] = ()
    findings: tuple[Finding, ...]
    bounds: tuple[Bound, ...] = Field(
        default=(), description="what claims allow at most, beside what was measured"
    )
    controls: tuple[Control, ...]
    verdicts: tuple[Verdict, ...]
    utility: tuple[Utility, ...]
    costs: tuple[Cost, ...]
    dependence: tuple[Dependence, ...] = ()
    power: tuple[Power, ...] = Field(
        default=(), description="the smallest leaks that an audit of this size could have excluded"
    )
    trade_offs: tuple[TradeOff, ...] = ()
    answer: Answer | None = Field(default=None, description="null where no setting has a finding")
    searches: tuple[SearchSummary, ...] = ()
    interferences: tuple[Interference, ...] = ()
    presence: tuple[PresenceControl, ...] = Field(
        default=(), description="whether messages tell which image was sent, by setting and party"
    )
    portfolios: tuple[Portfolio, ...] = Field(
        default=(), description="by what attacks tried to read messages, and what each way told"
    )
    weaknesses: tuple[str, ...] = Field(
        default=(), description="choices by which this audit finds less than it could"
    )
    pictures: tuple[Picture, ...] = ()
    failures: tuple[Failure, ...] = ()
    not_available: dict[str, str] = Field(default={}, description="metric name to how to get it")
    volatile: Volatile

    _former: Mapping[str, Any] | None = PrivateAttr(default=None)

    @property
    def former(self) -> Mapping[str, Any] | None:
        """Its content as an older major version wrote it; None where this one did."""
        return self._former

    def written_as(self, former: Mapping[str, Any]) -> Self:
        """The same record, with the content of the file that it was read from."""
        copy = self.model_copy()
        copy._former = former
        return copy

    def to_frame(self) -> pandas.DataFrame:
        """The findings as a table, one row each: who got what of whom, by which attack, how surely.

        Columns: ``defense``, ``adversary``, ``victim``, ``asset``, ``attack``, ``cuts``,
        ``metric``, ``region``, ``direction``, ``question``; ``value``, ``blind`` and ``advantage``
        with the ends of their intervals (``value_lower``, ``value_upper``, ...); ``chance``,
        ``ceiling``, ``converged`` and ``patients``. What was not measured is NaN, never 0.

        Example:
            The strongest attack on each party, undefended::

                frame = leakaudit.open_record("runs/first").to_frame()
                images = frame[(frame.asset == "images") & (frame.metric == "ssim")]
                images.sort_values("advantage").groupby(["defense", "victim"]).last()
        """
        from leakaudit.record.frame import findings_frame

        return findings_frame(self)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """One training counted twice would look like two that agree."""
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed stands once")
        return seeds

    @field_validator("findings")
    @classmethod
    def _of_the_victims(
        cls, findings: tuple[Finding, ...], info: ValidationInfo
    ) -> tuple[Finding, ...]:
        """Values stand in the order of the victims: a table of another width names the wrong."""
        cohort = info.data.get("cohort")
        if cohort is not None:
            widths = {len(row) for finding in findings for row in finding.values}
            if widths - {len(cohort.victims)}:
                raise ValueError("values have one column for each of cohort.victims")
        return findings

    @field_validator("verdicts")
    @classmethod
    def _judged(cls, verdicts: tuple[Verdict, ...], info: ValidationInfo) -> tuple[Verdict, ...]:
        """Verdicts tell which questions were asked: without them, nothing tells what is missing."""
        if info.data.get("findings") and not verdicts:
            raise ValueError("an audit with findings has verdicts")
        return verdicts
