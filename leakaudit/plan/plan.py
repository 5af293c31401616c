"""From a configuration to the cells that answer it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leakaudit.cohorts.cohort import Group
from leakaudit.plan.cells import AttackCell, CohortChoice, Interfering, TrainingCell
from leakaudit.plan.configuration import AttackUse, AuditConfiguration
from leakaudit.plan.materials import Materials
from leakaudit.plan.tables import DefenseStack
from leakaudit.plugins import Kind, build
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import Adversary
from leakaudit.threat.positions import seen_from
from leakaudit.training.loop import alone, pooled

POOLED = "pooled"


@dataclass(frozen=True)
class TrainingId:
    """Which training: the label of a defense setting or reference, and a seed."""

    setting: str
    seed: int
    reference: bool = False


@dataclass(frozen=True)
class AttackId:
    """Which attack on which training by whom, and which of its repeats on that training."""

    training: TrainingId
    adversary: str
    attack: str
    shuffled: bool = False
    repeat: int = 0


@dataclass(frozen=True)
class InterferedId:
    """Which training an active attack takes part in, in place of an honest server."""

    training: TrainingId
    adversary: str
    attack: str


SourceId = TrainingId | InterferedId
CellId = SourceId | AttackId


@dataclass(frozen=True)
class Plan:
    """All cells of an audit; results are found under ``folder / cell.key()``.

    Attributes:
        trainings: with an honest server: those that Dice, costs and all other attacks speak of.
        interfered: the same trainings with a dishonest server, one per active attack.
        attacks: on either.
    """

    trainings: dict[TrainingId, TrainingCell] = field(default_factory=dict)
    interfered: dict[InterferedId, TrainingCell] = field(default_factory=dict)
    attacks: dict[AttackId, AttackCell] = field(default_factory=dict)

    def source(self, attack: AttackId) -> SourceId:
        """The training that an attack reads."""
        own = InterferedId(attack.training, attack.adversary, attack.attack)
        return own if own in self.interfered else attack.training

    def every_training(self) -> dict[SourceId, TrainingCell]:
        """With honest and with dishonest servers."""
        honest: list[tuple[SourceId, TrainingCell]] = list(self.trainings.items())
        others: list[tuple[SourceId, TrainingCell]] = list(self.interfered.items())
        return dict(honest + others)

    def cells(self) -> dict[CellId, TrainingCell | AttackCell]:
        """Every cell, trainings first."""
        found: dict[CellId, TrainingCell | AttackCell] = {}
        for source, training in self.every_training().items():
            found[source] = training
        for name, attack in self.attacks.items():
            found[name] = attack
        return found

    def folder(self, cells: Path, cell: TrainingCell | AttackCell) -> Path:
        """Where a finished cell stands."""
        return cells / cell.key()


def make_plan(
    configuration: AuditConfiguration, choice: CohortChoice, given: Materials, lpips: str | None
) -> Plan:
    """Lay out every training and every attack.

    Plug-ins are built here once, so that a wrong name or setting stops the audit before it starts.

    Args:
        configuration: what was asked for.
        choice: the cohort, pinned by its fingerprint.
        given: the same, loaded.
        lpips: backbone file, where LPIPS is to be measured.

    Raises:
        ConfigurationError: a plug-in or setting does not exist or is out of range.
    """
    _check_attacks(configuration)
    plan = Plan()
    attackable = bool(given.groups.indices[Group.AUXILIARY].size)
    for stack in configuration.defenses:
        for seed in configuration.seeds:
            identity = TrainingId(stack.label, seed)
            plan.trainings[identity] = training_of(configuration, choice, stack, seed)
            training = plan.trainings[identity]
            if attackable:
                _add_interfered(plan, configuration, identity, training)
            # Without auxiliary patients each says that it cannot be mounted, and why.
            _add_attacks(plan, configuration, choice, given, lpips, identity, training.key())
    _add_references(plan, configuration, choice)
    return plan


def foreign_plan(
    configuration: AuditConfiguration,
    choice: CohortChoice,
    given: Materials,
    lpips: str | None,
    *,
    setting: str,
    seed: int,
    digest: str,
) -> Plan:
    """Attacks alone, on a trace that was recorded elsewhere.

    Args:
        configuration: adversaries and attacks are taken from it.
        choice: the cohort, pinned by its fingerprint.
        given: the same, loaded.
        lpips: backbone file, where LPIPS is to be measured.
        setting: label under which the trace's defenses are reported.
        seed: the trace's own.
        digest: content hash of the trace.
    """
    _check_attacks(configuration)
    plan = Plan()
    identity = TrainingId(setting, seed)
    _add_attacks(plan, configuration, choice, given, lpips, identity, digest)
    return plan


def _check_attacks(configuration: AuditConfiguration) -> None:
    """Each exists, its settings are in range, and what they name is in the split."""
    for use in configuration.attacks:
        attack: Attack = build(Kind.ATTACK, use.use, use.settings)
        attack.check(configuration.split)


def training_of(
    configuration: AuditConfiguration, choice: CohortChoice, stack: DefenseStack, seed: int
) -> TrainingCell:
    """The training of one setting with one seed."""
    return TrainingCell(
        choice=choice,
        split=configuration.split,
        defenses=stack.stack,
        training=configuration.training.model_copy(update={"references": ()}),
        recording=configuration.recording,
        dependence=configuration.judgement.dependence,
        seed=seed,
    )


def references(split: SplitSpec, kinds: Sequence[str]) -> dict[str, SplitSpec]:
    """The splits to train for comparison, by label: all in one place, each party alone."""
    found: dict[str, SplitSpec] = {}
    for kind in kinds:
        found |= (
            {POOLED: pooled(split)}
            if kind == POOLED
            else {f"alone: {name}": alone(split, name) for name in split.party_names}
        )
    return found


def _add_references(plan: Plan, configuration: AuditConfiguration, choice: CohortChoice) -> None:
    split = configuration.split
    for label, whole in references(split, configuration.training.references).items():
        for seed in configuration.seeds:
            plan.trainings[TrainingId(label, seed, reference=True)] = TrainingCell(
                choice=choice,
                split=whole,
                dealt_by=split if split.orientation == "horizontal" and label != POOLED else None,
                training=configuration.training.model_copy(update={"references": ()}),
                seed=seed,
            )


def _add_interfered(
    plan: Plan, configuration: AuditConfiguration, identity: TrainingId, training: TrainingCell
) -> None:
    """One more training for every active attack, by whoever can mount it."""
    for adversary in configuration.adversaries:
        knowledge = seen_from(adversary, configuration.split) | adversary.granted
        for use in mounted(configuration, adversary):
            attack: Attack = build(Kind.ATTACK, use.use, use.settings)
            able = adversary.sends_back and not attack.required & ~knowledge
            if attack.behaviour != "active" or not able:
                continue
            recording = training.recording
            plan.interfered[InterferedId(identity, adversary.name, use.title)] = (
                training.model_copy(
                    update={
                        "interfering": Interfering(adversary=adversary, attack=_bare(use)),
                        "recording": recording
                        and recording.model_copy(update={"weight_updates": 0}),
                        "dependence": False,
                    }
                )
            )


def mounted(configuration: AuditConfiguration, adversary: Adversary) -> Iterator[AttackUse]:
    """The attacks that are asked of an adversary."""
    for attack in configuration.attacks:
        if attack.adversaries is None or adversary.name in attack.adversaries:
            yield attack


def _bare(use: AttackUse) -> AttackUse:
    """Without what only the report needs: the same attack under two labels is one."""
    return use.model_copy(update={"label": "", "adversaries": None})


def attack_seeds(seed: int, repeats: int) -> tuple[int, ...]:
    """One seed per repeat of an attack on the training with this seed; the first is its own."""
    children = np.random.SeedSequence(seed).spawn(repeats)[1:]
    return (seed, *(int(child.generate_state(1)[0]) for child in children))


def _add_attacks(
    plan: Plan,
    configuration: AuditConfiguration,
    choice: CohortChoice,
    given: Materials,
    lpips: str | None,
    identity: TrainingId,
    source: str,
) -> None:
    undefended = identity.setting == configuration.undefended
    first = identity.seed == configuration.seeds[0]
    seeds = attack_seeds(identity.seed, configuration.attack_repeats)
    for adversary in configuration.adversaries:
        for attack in mounted(configuration, adversary):
            own = plan.interfered.get(InterferedId(identity, adversary.name, attack.title))
            cell = AttackCell(
                choice=choice,
                source=source if own is None else own.key(),
                adversary=adversary,
                attack=_bare(attack),
                seed=identity.seed,
                victims=configuration.victims,
                lpips=lpips,
                pictures=given.cohort.shareable and first,
            )
            for repeat, seed in enumerate(seeds):
                changes = {} if repeat == 0 else {"seed": seed, "pictures": False}
                mounted_by = AttackId(identity, adversary.name, attack.title, repeat=repeat)
                plan.attacks[mounted_by] = cell.model_copy(update=changes)
            if undefended and first:
                control = cell.model_copy(update={"shuffled": True, "pictures": False})
                plan.attacks[AttackId(identity, adversary.name, attack.title, True)] = control
