"""A synthetic but believable record, for every test that needs one without running an audit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from leakaudit import record as m
from leakaudit.record import Record, sealed

Floats = npt.NDArray[np.float64]

PARTIES = ("T1", "T1Gd", "T2", "FLAIR")
LEVELS = ((0,), (1,), (2,), (0, 1, 2))
NONE, NOISE, WITHHELD = "none", "gaussian-noise 0.5", "skip-withholding 0"
# How much of the way from the blind guess to a perfect copy each setting gives away.
LEAK = {NONE: 0.72, NOISE: 0.55, WITHHELD: 0.38}
DICE = {NONE: 0.82, NOISE: 0.77, WITHHELD: 0.81, "pooled": 0.84}
X = 0.05


def estimate(values: Floats, *, leak: str = "higher", samples: int = 4) -> m.Estimate:
    """Mean over patients of (seeds, patients) values with a normal interval."""
    per_patient = values.mean(axis=0)
    count = len(per_patient)
    mean = float(per_patient.mean())
    worst = int(per_patient.argmax() if leak == "higher" else per_patient.argmin())
    tail = float(np.percentile(per_patient, 95 if leak == "higher" else 5))
    half = 1.96 * float(per_patient.std(ddof=1)) / count**0.5 if count > 1 else None
    return m.Estimate(
        mean=round(mean, 6),
        lower=None if half is None else round(mean - half, 6),
        upper=None if half is None else round(mean + half, 6),
        one_sided_lower=None if half is None else round(mean - half * 0.84, 6),
        one_sided_upper=None if half is None else round(mean + half * 0.84, 6),
        patients=count,
        samples=count * samples,
        seeds=len(values),
        worst=m.Tail(value=round(float(per_patient[worst]), 6), patient=pseudonym(worst)),
        p95=m.Tail(value=round(tail, 6)),
        method="bootstrap over patients and seeds",
        undefined_because=None if half is not None else "one patient",
    )


def pseudonym(index: int) -> str:
    return f"P{index:04d}"


def rows(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(v), 6) for v in seed) for seed in values)


def named(levels: Sequence[int | str]) -> tuple[str, ...]:
    """What split-u-net calls its cuts; a name stays."""
    return tuple(each if isinstance(each, str) else f"level {each}" for each in levels)


class _Maker:
    def __init__(self, patients: int, seeds: int, parties: Sequence[str]) -> None:
        self.rng = np.random.default_rng(7)
        self.patients, self.seeds, self.parties = patients, seeds, tuple(parties)
        self.base = self.rng.normal(0, 0.04, size=patients)

    def spread(self, centre: float, width: float = 0.05) -> Floats:
        noise = self.rng.normal(0, width, size=(self.seeds, self.patients))
        return np.clip(centre + self.base + noise, 0.0, 0.995)

    def finding(
        self,
        defense: str,
        adversary: str,
        victim: str,
        asset: m.Asset,
        attack: str,
        levels: tuple[int, ...],
        metric: str,
        leak: float,
        *,
        blind: float,
        region: m.Region = "whole",
        flat: bool | None = True,
    ) -> m.Finding:
        blind_values = np.clip(self.spread(blind, 0.03), 0.01, 0.9)
        share = np.clip(self.spread(leak), 0.0, 1.0)
        values = blind_values + share * (1 - blind_values)
        ceiling: float | None = 1.0
        if metric == "psnr":
            values, blind_values, ceiling = 14 + 22 * share, 14 + 0 * share, None
        if metric == "re-identification":
            values = (self.rng.random(values.shape) < leak).astype(float)
            blind_values = (self.rng.random(values.shape) < blind).astype(float)
        advantage = None
        if ceiling is not None and metric != "re-identification":
            advantage = estimate((values - blind_values) / (ceiling - blind_values.mean()))
        elif metric == "re-identification":
            zero = max(blind, float(blind_values.mean()))
            advantage = estimate((values - zero) / (1 - zero))
        steps = (50, 100, 200, 400, 800, 1600)
        curve = tuple(
            m.CurvePoint(
                effort=step, estimate=estimate(blind_values + (values - blind_values) * grown)
            )
            for step, grown in zip(steps, (0.25, 0.5, 0.75, 0.92, 0.99, 1.0), strict=True)
        )
        places = min(self.patients, 100)
        found = np.linspace(values.mean(), 1.0, places) ** 0.6 if places > 1 else np.ones(1)
        found[0] = values.mean()
        return m.Finding(
            defense=defense,
            adversary=adversary,
            victim=victim,
            asset=asset,
            attack=attack,
            cuts=named(levels),
            metric=metric,
            region=region,
            direction="higher",
            ceiling=ceiling,
            chance=blind if metric == "re-identification" else None,
            estimate=estimate(values),
            blind=estimate(blind_values),
            advantage=advantage,
            values=rows(values),
            blind_values=rows(blind_values),
            curve=curve if metric in ("ssim", "dice") and region in ("whole", "lesion") else (),
            converged=flat,
            match_curve=(
                tuple(round(float(v), 6) for v in np.maximum.accumulate(found))
                if metric == "re-identification"
                else ()
            ),
        )


def _findings(maker: _Maker) -> list[m.Finding]:
    found = []
    chance = 1 / maker.patients
    for defense, leak in LEAK.items():
        for offset, party in enumerate(maker.parties):
            for levels in LEVELS:
                seen = tuple(k for k in levels if not (defense == WITHHELD and k == 0))
                if not seen:
                    continue
                depth = 0.0 if len(seen) > 1 else 0.05 + 0.18 * min(seen)
                got = max(leak - depth + 0.03 * offset, 0.02)
                who = (defense, "curious server", party)
                how = ("decoder-inversion", seen)
                found.append(maker.finding(*who, "images", *how, "ssim", got, blind=0.41))
                found.append(
                    maker.finding(
                        *who, "images", *how, "ssim", got - 0.02, blind=0.33, region="foreground"
                    )
                )
                found.append(maker.finding(*who, "images", *how, "psnr", got, blind=0.0))
                if len(seen) > 1 and maker.patients > 1:
                    rate = max(got - 0.2, chance)
                    found.append(
                        maker.finding(
                            *who, "identity", *how, "re-identification", rate, blind=chance
                        )
                    )
        mask = {NONE: 0.44, NOISE: 0.0, WITHHELD: 0.40}[defense]
        found.append(
            maker.finding(
                defense, f"curious party {maker.parties[0]}", m.SERVER, "masks",
                "gradient-matching", (0, 1, 2), "dice", mask, blind=0.22, region="lesion",
                flat=defense != WITHHELD,
            )
        )  # fmt: skip
    return found


def _verdicts(findings: Sequence[m.Finding], parties: Sequence[str]) -> list[m.Verdict]:
    strongest: dict[tuple[str, str, str, m.Asset], m.Finding] = {}
    for finding in findings:
        if finding.advantage is None or finding.region == "foreground":
            continue
        key = (finding.defense, finding.adversary, finding.victim, finding.asset)
        best = strongest.get(key)
        if best is None or best.advantage is None or best.advantage.mean < finding.advantage.mean:
            strongest[key] = finding
    verdicts = []
    for (defense, adversary, victim, asset), finding in strongest.items():
        advantage = finding.advantage
        value: m.VerdictValue = "inconclusive"
        reason = "there is no interval: one patient"
        if advantage is not None and advantage.lower is not None and advantage.upper is not None:
            if advantage.lower > X:
                value, reason = "leak shown", f"lower bound {advantage.lower:.2f} is above {X}"
            elif advantage.upper < X and finding.converged:
                value, reason = "none shown", f"upper bound {advantage.upper:.2f} is below {X}"
            else:
                reason = f"the interval includes {X}, or the effort curve still rises"
        verdicts.append(
            m.Verdict(
                defense=defense, adversary=adversary, victim=victim, asset=asset,
                attack=finding.attack, cuts=finding.cuts, metric=finding.metric,
                region=finding.region, verdict=value, threshold=X, advantage=advantage,
                reason=reason,
            )
        )  # fmt: skip
    for defense in LEAK:
        verdicts.append(
            m.Verdict(
                defense=defense, adversary=f"curious party {parties[0]}", victim=parties[-1],
                asset="images", attack=None, verdict="not tested", threshold=X,
                reason="no attack on images could be mounted: no weight updates reach this party",
            )
        )  # fmt: skip
    return verdicts


def _utility(maker: _Maker) -> list[m.Utility]:
    found = []
    settings = {**DICE, **{f"alone: {p}": 0.55 + 0.05 * k for k, p in enumerate(maker.parties)}}
    for setting, dice in settings.items():
        for drop, region in ((0.0, "WT"), (0.07, "TC"), (0.2, "ET")):
            values = maker.spread(dice - drop)
            distances = 4 + 40 * (1 - values)
            measured: tuple[tuple[Any, str, Floats], ...] = (
                ("dice", "1", values),
                ("hd95", "voxels", distances),
            )
            for metric, unit, numbers in measured:
                found.append(
                    m.Utility(
                        setting=setting, reference=setting not in LEAK, region=region,
                        metric=metric, unit=unit, values=rows(numbers), excluded=1,
                        estimate=estimate(numbers, leak="lower"),
                    )
                )  # fmt: skip
    return found


def _costs(parties: Sequence[str]) -> list[m.Cost]:
    costs = []
    for setting in LEAK:
        routes = []
        for party in parties:
            for level, channels in enumerate((16, 32, 64)):
                if setting == WITHHELD and level == 0:
                    continue
                side = 64 >> level
                size = 4.0 * channels * side * side * 4
                both: tuple[tuple[str, str, Any], ...] = (
                    (party, m.SERVER, "activation"),
                    (m.SERVER, party, "gradient"),
                )
                for sender, receiver, direction in both:
                    routes.append(
                        m.Route(
                            sender=sender, receiver=receiver, direction=direction,
                            cut=f"level {level}", shape=(channels, side, side), dtype="float32",
                            bytes_per_patient=size,
                        )
                    )  # fmt: skip
        total = sum(route.bytes_per_patient for route in routes)
        costs.append(m.Cost(setting=setting, bytes_per_patient=total, routes=tuple(routes)))
    return costs


def _controls(maker: _Maker) -> list[m.Control]:
    controls = []
    server = ("curious server", maker.parties[-1], "images", "decoder-inversion", (0, 1, 2), "ssim")
    party = (
        f"curious party {maker.parties[0]}", m.SERVER, "masks", "gradient-matching", (0, 1, 2),
        "dice",
    )  # fmt: skip
    kinds: tuple[tuple[Any, float, str], ...] = (
        ("open", 0.7, "leaks on the undefended split, as it must"),
        ("shuffled", 0.0, "finds nothing on shuffled pairs, as it must"),
    )
    for adversary, victim, asset, attack, levels, metric in (server, party):
        for kind, centre, reason in kinds:
            shown = estimate(maker.rng.normal(centre, 0.02, size=(maker.seeds, maker.patients)))
            controls.append(
                m.Control(
                    kind=kind, adversary=adversary, victim=victim, asset=asset, attack=attack,
                    cuts=named(levels), metric=metric, advantage=shown, passed=True, reason=reason,
                )
            )  # fmt: skip
    return controls


def _metrics() -> tuple[m.MetricSummary, ...]:
    return (
        m.MetricSummary(
            name="ssim", label="SSIM", lowest=-1, highest=1, direction="higher", ceiling=1,
            meaning="How much the rebuilt image looks like the patient's: 1 is a perfect copy.",
            remedy="Withhold the level that leaks most, or add noise to it.",
            source="Wang et al. 2004; equal to scikit-image",
        ),
        m.MetricSummary(
            name="psnr", label="PSNR", unit="dB", lowest=0, direction="higher",
            meaning="How small the pixel errors of the rebuilt image are.",
            remedy="Read it beside SSIM; act on SSIM.", source="per image, never pooled",
        ),
        m.MetricSummary(
            name="re-identification", label="re-identification, first guess", lowest=0, highest=1,
            direction="higher", ceiling=1,
            meaning="The share of patients whose image the attacker picks out of the candidates.",
            remedy="Treat the messages as personal data; withhold or coarsen the finest level.",
            source="Packhäuser et al. 2022",
        ),
        m.MetricSummary(
            name="dice", label="Dice", lowest=0, highest=1, direction="higher", ceiling=1,
            meaning="How well the inferred mask covers the patient's lesion: 1 is exact.",
            remedy="Add noise to the gradients sent back, or keep the labels' loss at one party.",
            source="Dice 1945",
        ),
    )  # fmt: skip


def _pictures(maker: _Maker, folder: Path) -> list[m.Picture]:
    """Ringed discs, one per row and column of the gallery, written beside the record."""
    found = []
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    grid = np.hypot(*np.mgrid[-1:1:64j, -1:1:64j])
    columns = {"truth": 0.0, "level 0": 0.1, "level 1": 0.25, "level 2": 0.5}
    columns |= {"all cuts": 0.06, "blind": 0.7, "decoy": 0.02}
    kinds: tuple[Any, ...] = ("worst", "p95", "median", "best")
    for rank, row in enumerate(kinds):
        for column, blur in columns.items():
            disc = np.clip(1.2 - grid * (1.2 + 0.1 * rank), 0, 1)
            disc += 0.3 * np.exp(-((grid - 0.4 - 0.05 * rank) ** 2) / 0.01)
            disc = disc * (1 - blur) + maker.rng.random((64, 64)) * blur * (disc > 0.1)
            file = folder / "pictures" / f"{row}-{column.replace(' ', '-')}.png"
            Image.fromarray((np.clip(disc, 0, 1) * 255).astype(np.uint8)).save(file)
            found.append(
                m.Picture(
                    file=file.relative_to(folder).as_posix(),
                    sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
                    row=row, column=column, defense=NONE, adversary="curious server",
                    victim=maker.parties[-1], attack="decoder-inversion", asset="images",
                    patient=pseudonym(rank),
                    value=None if column == "truth" else round(0.95 - blur, 3),
                )
            )  # fmt: skip
    return found


def example_record(
    patients: int = 10,
    *,
    seeds: int = 2,
    title: str = "Four hospitals, one tumour network",
    parties: Sequence[str] = PARTIES,
    configuration: dict[str, Any] | None = None,
    pictures_in: Path | None = None,
    shareable: bool = True,
    changes: Mapping[str, Any] | None = None,
) -> Record:
    """A whole audit, invented from a fixed seed.

    Args:
        patients: attacked patients; as many again are validation patients.
        seeds: seeds of training and attack.
        title: the audit's title.
        parties: names of the four parties.
        configuration: what stands as the configuration given.
        pictures_in: a run folder to write gallery pictures to; none are listed without it.
        shareable: may pictures appear.
        changes: further fields of the record to replace.
    """
    maker = _Maker(patients, seeds, parties)
    findings = _findings(maker)
    group = m.GroupSummary(patients=patients, samples=patients * 4, with_lesion=patients)
    given = configuration or {
        "title": title,
        "cohort": {"name": "phantom", "patients": patients * 3, "space": [64, 64]},
        "attacks": [{"name": "decoder-inversion", "steps": 1600}, {"name": "gradient-matching"}],
        "defenses": [{"name": "gaussian-noise", "sigma": 0.5}, {"name": "skip-withholding"}],
    }
    record = Record(
        audit_id="3f9a1c07",
        title=title,
        command="leakaudit run audit.toml --out runs/first",
        configuration_given=given,
        configuration_resolved={**given, "training": {"epochs": 30, "batch": 8}},
        configuration_sha256="5d" * 32,
        environment=m.Environment(
            leakaudit="0.1.0",
            python="3.11.9",
            packages={"torch": "2.14.0", "monai": "1.6.0", "numpy": "2.3.4"},
            platform="Linux x86_64",
            device="cpu",
            git_commit="0123456789abcdef0123456789abcdef01234567",
            git_dirty=False,
        ),
        seeds=tuple(range(seeds)),
        cohort=m.CohortSummary(
            name="phantom",
            source="generated brain MR with lesions",
            modalities=PARTIES,
            regions=("WT", "TC", "ET"),
            space=(64, 64),
            scaling="0 to the 99.5th percentile of each image is brought to [0, 1] and clipped",
            shareable=shareable,
            fingerprint="ab" * 32,
            training=group,
            auxiliary=group,
            validation=group,
            victims=tuple(pseudonym(k) for k in range(patients)),
            lesion_fraction=tuple(
                round(float(v), 6) for v in maker.rng.gamma(2.0, 0.02, size=patients).clip(0, 1)
            ),
            validation_patients=tuple(f"V{k:04d}" for k in range(patients)),
        ),
        split=m.SplitSummary(
            orientation="vertical",
            dimensions=2,
            channels=(16, 32, 64),
            party_levels=3,
            cuts=tuple(
                m.CutSummary(
                    name=f"level {level}",
                    shapes=dict.fromkeys(parties, (width, 64 >> level, 64 >> level)),
                )
                for level, width in enumerate((16, 32, 64))
            ),
            labels_at=m.SERVER,
            parties=tuple(
                m.PartySummary(name=name, modalities=(modality,), parameters=71_000)
                for name, modality in zip(parties, PARTIES, strict=True)
            ),
            server_parameters=412_000,
            epochs=30,
            recorded_epochs=(0, 15, 29),
        ),
        adversaries=(
            m.AdversarySummary(
                name="curious server",
                position="server",
                members=(m.SERVER,),
                knowledge=("activations", "queries", "auxiliary-images"),
                behaviour="passive",
                mounted=("decoder-inversion",),
                not_mountable=(
                    m.NotMountable(attack="gradient-matching", reason="needs weight updates"),
                ),
            ),
            m.AdversarySummary(
                name=f"curious party {parties[0]}",
                position="party",
                members=(parties[0],),
                knowledge=("gradients", "own-images", "server-weights"),
                behaviour="passive",
                mounted=("gradient-matching",),
                not_mountable=(
                    m.NotMountable(
                        attack="decoder-inversion",
                        reason="needs the other parties' messages, which never reach this party",
                    ),
                ),
            ),
        ),
        attacks=(
            m.AttackSummary(
                label="decoder-inversion",
                name="decoder-inversion",
                summary="Train a decoder from exchanged features back to images.",
                goal="images",
                criterion="singling out",
                needs=("activations", "queries", "auxiliary-images"),
                source="He, Zhang, Lee, ACSAC 2019",
                settings={"steps": 1600, "channels": 32},
            ),
            m.AttackSummary(
                label="gradient-matching",
                name="gradient-matching",
                summary="Optimise the mask until its gradients match those received.",
                goal="masks",
                criterion="inference",
                needs=("gradients", "server-weights"),
                source="Zhu 2019; Geiping 2020",
                settings={"steps": 1600, "variant": "cosine"},
            ),
        ),
        defenses=(
            m.DefenseSummary(
                label=NONE,
                stack=(),
                summary="Messages cross as they are.",
                no_claim_because="nothing is changed",
            ),
            m.DefenseSummary(
                label=NOISE,
                stack=({"name": "gaussian-noise", "sigma": 0.5},),
                summary="Adds Gaussian noise to every message.",
                no_claim_because="no clipping, so no sensitivity is known",
            ),
            m.DefenseSummary(
                label=WITHHELD,
                stack=({"name": "skip-withholding", "cuts": ["level 0"]},),
                summary="Does not send level 0.",
                no_claim_because="removes a message: measured, not claimed",
            ),
        ),
        metrics=_metrics(),
        findings=tuple(findings),
        controls=tuple(_controls(maker)),
        verdicts=tuple(_verdicts(findings, maker.parties)),
        utility=tuple(_utility(maker)),
        costs=tuple(_costs(maker.parties)),
        dependence=(
            m.Dependence(
                defense=NONE, party=parties[-1], cut="level 0", metric="InfoNCE", unit="bits",
                value=3.1, saturation=5.0, pairs=32, seed=0,
            ),
        ),
        pictures=tuple(_pictures(maker, pictures_in)) if pictures_in else (),
        failures=(
            m.Failure(
                stage="metric", where="lpips", kind="not available",
                reason="the LPIPS backbone was not found",
            ),
        ),
        not_available={"lpips": "set LEAKAUDIT_LPIPS_WEIGHTS to the backbone file"},
        volatile=m.Volatile(
            created="2026-09-14T09:30:00+00:00",
            seconds_total=271.0,
            seconds_per_step=dict.fromkeys(LEAK, 0.12),
            peak_memory_bytes=dict.fromkeys(LEAK, 900_000_000),
        ),
    )  # fmt: skip
    return sealed(record.model_copy(update=dict(changes or {})))
