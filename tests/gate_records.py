"""Small records with known leaks, and policies to hold them against."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from example_records import estimate, example_record, named, pseudonym, rows

from leakaudit import record as m
from leakaudit.policy import Evaluation, Result, evaluate, read_policy
from leakaudit.record import Record, sealed

Floats = npt.NDArray[np.float64]

SERVER_ADVERSARY = "curious server"
NONE, WITHHELD = "none", "skip-withholding 0"
VICTIMS = ("T1", "FLAIR")
BLIND = 0.4
TODAY = datetime.date(2026, 9, 14)
LEVELS = {NONE: ((0,), (1,), (0, 1)), WITHHELD: ((1,),)}


def leak_of(setting: str, levels: tuple[int, ...]) -> float:
    """True mean advantage: level 0 gives most away, all levels as much as the best of them."""
    del setting
    return 0.7 if 0 in levels else 0.3


def gate_record(
    *,
    patients: int = 20,
    seeds: int = 3,
    leaks: Mapping[tuple[str, tuple[int, ...]], float] | None = None,
    spread: float = 0.05,
    noise: float = 0.01,
    seed: int = 1,
    victims: Sequence[str] = VICTIMS,
    changes: Mapping[str, Any] | None = None,
    **of_example: Any,
) -> Record:
    """A record with an undefended setting and one that withholds level 0.

    Args:
        patients: attacked.
        seeds: of training and attack.
        leaks: true mean advantage by setting and levels, where not the usual one.
        spread: of the patients' advantages.
        noise: of their replicates.
        seed: of the invented values.
        victims: parties attacked.
        changes: fields of the record to replace.
        of_example: further arguments of `example_record`.
    """
    rng = np.random.default_rng(seed)
    findings = []
    for setting, combinations in LEVELS.items():
        for victim in victims:
            for levels in combinations:
                centre = (leaks or {}).get((setting, levels), leak_of(setting, levels))
                own = rng.normal(centre, spread, patients)
                advantage = own + rng.normal(0, noise, (seeds, patients))
                findings += findings_of(setting, victim, levels, advantage)
    base = example_record(patients, seeds=seeds, **of_example)
    record = base.model_copy(
        update={
            "findings": tuple(findings),
            "controls": tuple(controls_of(findings)),
            "verdicts": tuple(verdicts_of(findings)),
            "defenses": tuple(d for d in base.defenses if d.label in LEVELS),
            "metrics": (
                *base.metrics,
                m.MetricSummary(
                    name="mse", label="MSE", lowest=0, highest=1, direction="lower", ceiling=0
                ),
            ),
            "failures": (),
            **(changes or {}),
        }
    )
    return sealed(record)


def findings_of(
    setting: str,
    victim: str,
    levels: Sequence[int | str],
    advantage: Floats,
    adversary: str = SERVER_ADVERSARY,
) -> list[m.Finding]:
    """SSIM, MSE and re-identification with these advantages (seeds, patients)."""
    blind = np.full_like(advantage, BLIND)
    hits = (advantage > 0.5).astype(float)
    chance = 1 / advantage.shape[1]
    who = {"defense": setting, "adversary": adversary, "victim": victim, "cuts": named(levels)}
    how = {"attack": "decoder-inversion", "converged": True}
    return [
        m.Finding(
            **who, **how, asset="images", metric="ssim", region="foreground", direction="higher",
            ceiling=1.0, chance=None, estimate=estimate(blind + advantage * (1 - BLIND)),
            values=rows(blind + advantage * (1 - BLIND)), blind_values=rows(blind),
        ),
        m.Finding(
            **who, **how, asset="images", metric="mse", direction="lower", ceiling=0.0, chance=None,
            estimate=estimate(0.1 * (1 - advantage), leak="lower"),
            values=rows(0.1 * (1 - advantage)), blind_values=rows(np.full_like(advantage, 0.1)),
        ),
        m.Finding(
            **who, **how, asset="identity", metric="re-identification", direction="higher",
            ceiling=1.0, chance=chance, estimate=estimate(hits), values=rows(hits),
            blind_values=rows(np.full_like(hits, chance)),
        ),
    ]  # fmt: skip


def controls_of(findings: Sequence[m.Finding], **failed: bool) -> list[m.Control]:
    """An open and a shuffled control for every undefended finding, all passed unless told.

    Args:
        findings: of the record.
        failed: ``open=True`` or ``shuffled=True``: those of this kind did not pass.
    """
    kinds: tuple[Any, ...] = ("open", "shuffled")
    return [
        m.Control(
            kind=kind, adversary=f.adversary, victim=f.victim, asset=f.asset, attack=f.attack,
            cuts=f.cuts, metric=f.metric, advantage=None, passed=not failed.get(kind, False),
            reason=f"{kind} control",
        )
        for f in findings
        if f.defense == NONE and f.metric != "mse"
        for kind in kinds
    ]  # fmt: skip


def verdicts_of(findings: Sequence[m.Finding]) -> list[m.Verdict]:
    """One for each question."""
    asked = dict.fromkeys((f.defense, f.adversary, f.victim, f.asset) for f in findings)
    return [
        m.Verdict(
            defense=setting, adversary=adversary, victim=victim, asset=asset,
            attack="decoder-inversion", verdict="leak shown", threshold=0.1, reason="for tests",
        )
        for setting, adversary, victim, asset in asked
    ]  # fmt: skip


def with_finding(record: Record, index: int, **update: Any) -> Record:
    """The record with one finding changed."""
    findings = list(record.findings)
    findings[index] = findings[index].model_copy(update=update)
    return sealed(record.model_copy(update={"findings": tuple(findings)}))


def without_value(finding: m.Finding, patient: int = 0) -> tuple[tuple[float | None, ...], ...]:
    """Its values, one patient's missing under the first seed."""
    first = list(finding.values[0])
    first[patient] = None
    return (tuple(first), *finding.values[1:])


def large_record(patients: int) -> Record:
    """The example record for many patients, with the controls and questions of a whole audit."""
    record = example_record(patients)
    findings = record.findings
    changes = {"controls": tuple(controls_of(findings)), "verdicts": tuple(verdicts_of(findings))}
    return sealed(record.model_copy(update=changes))


def many_settings(record: Record, settings: int) -> Record:
    """The record with copies of its noise, each a setting of its own, until it has so many."""
    noise = "gaussian-noise 0.5"
    copies = [f"gaussian-noise {100 + i}" for i in range(settings - len(record.defenses))]
    named_by = {
        "defenses": "label", "findings": "defense", "verdicts": "defense", "utility": "setting",
        "costs": "setting",
    }  # fmt: skip
    more = {
        field: (
            *getattr(record, field),
            *(
                each.model_copy(update={name: copy})
                for copy in copies
                for each in getattr(record, field)
                if getattr(each, name) == noise
            ),
        )
        for field, name in named_by.items()
    }
    return sealed(record.model_copy(update=more))


def hundred_rules() -> str:
    """A policy of a hundred budgets on it."""
    rules = []
    for setting in ("none", "gaussian-noise 0.5", WITHHELD):
        for victim in ("T1", "T1Gd", "T2", "FLAIR"):
            for tail in ("mean", "p95", "worst"):
                for region in ("whole", "foreground", None):
                    where = f'region = "{region}"\n' if region else ""
                    rules.append(
                        f'[[budget]]\nsetting = "{setting}"\nadversary = "curious server"\n'
                        f'victim = "{victim}"\nmetric = "ssim"\ntail = "{tail}"\nmax = 0.6\n'
                        f'source = "x"\n{where}'
                    )
    return "\n".join(rules[:100])


def policy_file(folder: Path, text: str) -> Path:
    """The text as a policy."""
    path = folder / "leakage-policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def budget(setting: str = WITHHELD, **fields: Any) -> str:
    """A policy of one budget; a field of None is left out."""
    given = {"metric": "ssim", "max": 0.5, "source": "the committee", **fields}
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value is not None]
    return "\n".join([f"setting = {_toml(setting)}", "[[budget]]", *lines]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(list(value)) if isinstance(value, tuple) else str(value)


def held(folder: Path, record: Record, text: str, **more: Any) -> Evaluation:
    """A record against a policy, on a fixed day."""
    return evaluate(read_policy(policy_file(folder, text)), record, today=TODAY, **more)


def only(folder: Path, record: Record, text: str, **more: Any) -> Result:
    """The same for a policy of one rule."""
    (result,) = held(folder, record, text, **more).results
    return result


__all__ = [
    "LEVELS", "NONE", "SERVER_ADVERSARY", "TODAY", "VICTIMS", "WITHHELD", "budget", "controls_of",
    "findings_of", "gate_record", "held", "hundred_rules", "large_record", "many_settings", "only",
    "policy_file", "pseudonym", "verdicts_of", "with_finding", "without_value",
]  # fmt: skip
