"""`privacy-baseline.json`: what leaked before, patient by patient, to be compared with today."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from leakaudit.errors import NothingToEvaluateError, NoValidVerdictError, RecordError
from leakaudit.policy.model import Table
from leakaudit.policy.validity import LEAST_PATIENTS, LEAST_SEEDS
from leakaudit.record import (
    AdversarySummary,
    AttackSummary,
    CohortSummary,
    Environment,
    Finding,
    Record,
    SplitSummary,
    canonical,
)
from leakaudit.record.former import upgraded_baseline
from leakaudit.whole import write_whole

BASELINE_FILE = "privacy-baseline.json"
_LONGEST = 80
_MOST = 6


class Baseline(Table):
    """An earlier audit, as far as a comparison needs it. No pixel, no name: pseudonyms only."""

    kind: Literal["leakaudit privacy baseline"] = "leakaudit privacy baseline"
    schema_version: Literal["1.0", "2.0"] = "2.0"
    content_sha256: str = ""
    audit_id: str
    title: str
    record_sha256: str
    environment: Environment
    seeds: tuple[int, ...]
    cohort: CohortSummary
    adversaries: tuple[AdversarySummary, ...]
    attacks: tuple[AttackSummary, ...]
    findings: tuple[Finding, ...]

    def check_comparable(self, record: Record) -> None:
        """Refuse a record that was measured another way.

        The split and its defenses may differ: that is the change to be judged. Patients, seeds,
        attacks, what adversaries know, and what all of it ran on may not.

        Raises:
            NoValidVerdictError: something of these differs; the message says what.
        """
        differences = list(self._differences(record))
        if differences:
            more = f"; and {len(differences) - _MOST} more" if len(differences) > _MOST else ""
            raise NoValidVerdictError(
                "a baseline is compared only with the same environment, cohort and attacks",
                found="; ".join(differences[:_MOST]) + more,
                remedy="record the baseline again under today's conditions, at the commit it is to "
                "stand for: `leakaudit baseline RUN -o privacy-baseline.json`",
            )

    def named_for(self, split: SplitSummary) -> Baseline:
        """The same with today's names of the cuts: one of schema 1.0 knows their numbers alone."""
        if self.schema_version != "1.0":
            return self
        names = {f"level {number}": name for number, name in enumerate(split.cut_names)}
        findings = tuple(
            finding.model_copy(update={"cuts": tuple(names.get(n, n) for n in finding.cuts)})
            for finding in self.findings
        )
        return self.model_copy(update={"findings": findings})

    def _differences(self, record: Record) -> Iterator[str]:
        then, now = self.environment, record.environment
        for name in ("leakaudit", "python", "platform", "device"):
            yield from _differs(name, getattr(then, name), getattr(now, name))
        for package in sorted({*then.packages, *now.packages}):
            yield from _differs(package, then.packages.get(package), now.packages.get(package))
        for name in ("fingerprint", "training", "auxiliary", "validation"):
            yield from _differs(
                f"cohort {name}", getattr(self.cohort, name), getattr(record.cohort, name)
            )
        yield from _differs("attacked patients", self.cohort.victims, record.cohort.victims)
        yield from _differs("seeds", self.seeds, record.seeds)
        yield from _both("attack", _by(self.attacks, "label"), _by(record.attacks, "label"))
        yield from _both(
            "adversary", _by(self.adversaries, "name"), _by(record.adversaries, "name")
        )


def _by(parts: Sequence[Any], key: str) -> dict[str, dict[str, Any]]:
    """What determines an attack or adversary; what it came to in one audit is left out."""
    outcome = {"mounted", "not_mountable", "summary", "source"}
    return {getattr(part, key): part.model_dump(mode="json", exclude=outcome) for part in parts}


def _both(
    what: str, then: Mapping[str, dict[str, Any]], now: Mapping[str, dict[str, Any]]
) -> Iterator[str]:
    """Those that both audits have; one that only one of them has is told by its findings."""
    for name in sorted(then.keys() & now.keys()):
        flat_then, flat_now = _flat(then[name]), _flat(now[name])
        for key in sorted({*flat_then, *flat_now}):
            yield from _differs(f"{what} {name}: {key}", flat_then.get(key), flat_now.get(key))


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {key: value for key, value in given.items() if key != "settings"}
    return flat | dict(given.get("settings", {}))


def _differs(what: str, then: object, now: object) -> Iterator[str]:
    if then != now:
        yield f"{what}: {_short(then)} then, {_short(now)} now"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"


def baseline_of(record: Record) -> Baseline:
    """What of a record is kept to compare with.

    Raises:
        NothingToEvaluateError: it has no finding.
        NoValidVerdictError: one patient or one seed, from which nothing can be compared.
    """
    if not record.findings:
        raise NothingToEvaluateError(
            "a baseline needs at least one finding",
            found=f"audit {record.audit_id} has none",
            remedy="let an adversary mount an attack, then run it again",
        )
    patients, seeds = len(record.cohort.victims), len(record.seeds)
    if patients < LEAST_PATIENTS or seeds < LEAST_SEEDS:
        raise NoValidVerdictError(
            f"a baseline needs {LEAST_PATIENTS} patients and {LEAST_SEEDS} seeds",
            found=f"{patients} and {seeds}",
            remedy="audit more patients under more seeds",
        )
    made = Baseline(
        audit_id=record.audit_id,
        title=record.title,
        record_sha256=record.content_sha256,
        environment=record.environment,
        seeds=record.seeds,
        cohort=record.cohort,
        adversaries=record.adversaries,
        attacks=record.attacks,
        findings=tuple(
            finding.model_copy(update={"curve": (), "match_curve": ()})
            for finding in record.findings
        ),
    )
    return made.model_copy(update={"content_sha256": _content_sha256(made)})


def _content_sha256(baseline: Baseline) -> str:
    return _sha256(baseline.model_dump(mode="json", exclude={"content_sha256"}))


def _sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(content)).encode()).hexdigest()


def write_baseline(record: Record, path: Path) -> Path:
    """Write a record's baseline, whole or not at all."""
    text = canonical(baseline_of(record).model_dump(mode="json"))
    return write_whole(path, text)


def read_baseline(path: Path) -> Baseline:
    """Load a baseline.

    Raises:
        RecordError: missing, cut short, of another kind or a newer schema, or edited by hand.
    """
    again = "write it again: `leakaudit baseline RUN -o FILE`"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise RecordError("the baseline must be a file", found=str(path), remedy=again) from None
    except (ValueError, RecursionError) as problem:
        raise RecordError(
            f"a baseline must be whole JSON ({problem})", found=str(path), remedy=again
        ) from None
    try:
        baseline = Baseline.model_validate(upgraded_baseline(raw))
    except ValidationError as problem:
        first = problem.errors()[0]
        raise RecordError(
            f"{path.name} is no baseline that this leakaudit reads: "
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            found=repr(first["input"])[:200],
            remedy=again,
        ) from None
    try:
        # Of the file, not of the model: what came later has a default, and no old hash.
        sha256 = _sha256({key: raw[key] for key in raw if key != "content_sha256"})
    except ValueError as problem:  # half a character, or a number beyond all numbers
        raise RecordError(
            f"a baseline must hold text and numbers that can be written ({problem})",
            found=str(path),
            remedy=again,
        ) from None
    if baseline.content_sha256 != sha256:
        raise RecordError(
            "a baseline's content must match its content_sha256",
            found=baseline.content_sha256[:64] or "no hash",
            remedy=f"the file was edited; {again}",
        )
    return baseline
