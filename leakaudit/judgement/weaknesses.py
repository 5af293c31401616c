"""Where an audit looked less closely than it could have: named, whatever it found.

Whoever chooses the audit can choose one that finds little: people unlike those attacked, a network
that learnt nothing, attacks of three steps. Each such choice is a sentence in the record, on page
one of the reports and in what `leakaudit check` says, so that silence is read with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import stats

from leakaudit.cells.finished import Finished
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.cohorts.cohort import Cohort, Group
from leakaudit.judgement.price import dice_cells, idle_cells, main_region, segments_nothing
from leakaudit.plan.configuration import AuditConfiguration, Judgement
from leakaudit.plan.materials import Materials
from leakaudit.plan.plan import mounted
from leakaudit.plugins import Kind, load, names
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.statistics.verdict import MIN_PATIENTS
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import NOTHING, PRESETS, Adversary, Knowledge
from leakaudit.threat.positions import seen_from

LEARNT = 0.95
"""Share of the first epoch's loss below which the last one lies where anything was learnt."""
SMALL_EFFORT = 0.1
"""Share of an attack's usual steps below which it did not try."""
_UNLIKE = 0.01  # of audits whose auxiliary patients are drawn like the others, those told unlike
_USUAL = {"server": "curious-server", "party": "curious-party", "wire": "wire-tap"}


def weaknesses(
    configuration: AuditConfiguration, given: Materials, done: Finished
) -> tuple[str, ...]:
    """A sentence for every choice by which this audit finds less than it could.

    Args:
        configuration: every setting that was audited listed under its defenses.
        given: the cohort.
        done: finished cells.
    """
    undefended = {
        identity.seed: result
        for identity, result in done.trainings.items()
        if identity.setting == configuration.undefended and not identity.reference
    }
    return (
        *_people(configuration, given),
        *_network(configuration, given, done, tuple(undefended.values())),
        *_adversaries(configuration, configuration.split),
        *_attacks(configuration),
        *_limits(configuration.judgement),
    )


def _people(configuration: AuditConfiguration, given: Materials) -> Iterator[str]:
    victims, others = given.victims(configuration.victims), given.groups.patients[Group.AUXILIARY]
    trained = given.groups.patients[Group.TRAINING]
    if len(victims) < MIN_PATIENTS:
        yield f"only {len(victims)} of the patients were attacked: one who leaks may be missed"
    elif len(victims) < len(trained):
        yield f"{len(victims)} of {len(trained)} training patients were attacked"
    if len(others) < MIN_PATIENTS:
        yield (
            f"the adversary has {len(others)} patients of its own: attacks that learn from more "
            "read better"
        )
    owners = given.cohort.patients[np.isin(given.cohort.patients, victims)]
    if len(owners) == len(victims):
        yield "each attacked patient is one slice, or patch: who sends more gives more away"
    yield from _unlike(given.cohort, victims, others)


def _unlike(cohort: Cohort, victims: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """What auxiliary patients surely differ in: attacks that learn from them read worse."""
    looks = _looks(cohort)
    told = {}
    for name, of in looks.items():
        mine, theirs = ([of[patient] for patient in group] for group in (victims, others))
        if len(mine) > 1 and len(theirs) > 1:
            chance = float(stats.mannwhitneyu(mine, theirs, alternative="two-sided").pvalue)
            if chance * len(looks) < _UNLIKE:
                told[name] = f"{name} {np.median(theirs):.3g} instead of {np.median(mine):.3g}"
    if told:
        yield (
            "the adversary's patients are unlike the attacked ones "
            f"({'; '.join(told.values())}, medians): attacks that learn from them read worse"
        )


def _looks(cohort: Cohort) -> dict[str, dict[str, float]]:
    """By what is compared: patient to a number."""
    axes = tuple(range(1, cohort.labels.ndim))
    columns = {"share of lesion": (cohort.labels > 0).mean(axis=axes)}
    for at, modality in enumerate(cohort.modalities):
        # One modality lies together: all of them at once would be a copy of the cohort.
        images = cohort.images[:, at]
        inside = (images > 0).sum(axis=axes)
        columns[f"brightness of {modality}"] = images.sum(axis=axes) / np.maximum(inside, 1)
        columns[f"foreground of {modality}"] = inside / images[0].size
    patients = np.unique(cohort.patients)
    return {
        name: {str(p): float(column[cohort.patients == p].mean()) for p in patients}
        for name, column in columns.items()
    }


def _network(
    configuration: AuditConfiguration,
    given: Materials,
    done: Finished,
    undefended: Sequence[TrainingResult],
) -> Iterator[str]:
    losses = [result.losses for result in undefended if result.losses]
    if losses:
        begun, ended = (float(np.mean([each[at] for each in losses])) for at in (0, -1))
        region = main_region(done.trainings, tuple(given.cohort.regions))
        patients = given.groups.patients[Group.VALIDATION]
        dice, idle = (of(done.trainings, region, patients) for of in (dice_cells, idle_cells))
        label = configuration.undefended
        flat = len(losses[0]) > 1 and not ended < LEARNT * begun
        if flat or segments_nothing(dice.get(label), idle.get(label)):
            yield (
                f"the undefended network had learnt nothing (training loss {begun:.3g} in the "
                f"first epoch, {ended:.3g} in the last): messages of one that has learnt are others"
            )
    trained = configuration.training.epochs
    kept = {epoch for result in undefended for epoch in result.recorded_epochs}
    if losses and kept and trained - 1 not in kept:
        yield (
            f"of {trained} epochs the last was not recorded, the latest being {max(kept) + 1}: the "
            "network that is used was not attacked"
        )


def _adversaries(configuration: AuditConfiguration, split: SplitSpec) -> Iterator[str]:
    for adversary in configuration.adversaries:
        usual = _USUAL.get(adversary.position.value)
        if usual is None:
            continue
        knows = _knows(adversary, split)
        lacks = _granted(usual) & ~knows
        if lacks:
            yield (
                f"{adversary.name} knows less than one of its position usually does, lacking "
                f"{', '.join(lacks.words)}"
            )
    seats = {each.position.value for each in configuration.adversaries}
    members = {member for each in configuration.adversaries for member in each.members}
    if "server" not in seats and SERVER not in members:
        yield "nobody attacks from the server"
    if len(split.parties) > 1 and not seats & {"party", "coalition"}:
        yield "no party attacks another"


def _attacks(configuration: AuditConfiguration) -> Iterator[str]:
    for adversary in configuration.adversaries:
        mine = {use.use for use in mounted(configuration, adversary)}
        left = [
            name
            for name in names(Kind.ATTACK)
            if name not in mine and _mountable(name, adversary, configuration.split)
        ]
        if left:
            yield f"{adversary.name} could have mounted, and did not: {', '.join(left)}"
    for use in configuration.attacks:
        small = list(_small(use.use, use.settings))
        if small:
            yield f"{use.title} hardly tried: {', '.join(small)}"


def _mountable(name: str, adversary: Adversary, split: SplitSpec) -> bool:
    """With its settings as they come; one that must be given some is not known."""
    plugin: type[Attack] = load(Kind.ATTACK, name)
    if any(field.is_required() for field in plugin.model_fields.values()):
        return False
    attack = plugin()
    active = attack.behaviour == "active" and not adversary.sends_back
    return not active and not attack.required & ~_knows(adversary, split)


def _small(name: str, settings: Mapping[str, object]) -> Iterator[str]:
    fields = load(Kind.ATTACK, name).model_fields
    for field, value in settings.items():
        usual = fields[field].default if field in fields else None
        counted = field == "steps" or field.endswith("_steps")
        if (
            counted
            and isinstance(value, int)
            and isinstance(usual, int)
            and value < SMALL_EFFORT * usual
        ):
            yield f"{field} = {value} (usually {usual})"


def _limits(judgement: Judgement) -> Iterator[str]:
    for field in ("threshold", "patient_threshold"):
        value, usual = getattr(judgement, field), Judgement.model_fields[field].default
        if value > usual:
            yield f"judgement.{field} is {value:g} (usually {usual:g}): more may leak unseen"


def _knows(adversary: Adversary, split: SplitSpec) -> Knowledge:
    return seen_from(adversary, split) | adversary.granted


def _granted(preset: str) -> Knowledge:
    total = NOTHING
    for word in PRESETS[preset]["grants"]:
        total |= Knowledge.parse(word)
    return total
