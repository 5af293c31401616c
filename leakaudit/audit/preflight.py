"""A split that no cohort like this can train is refused before the first training starts."""

from __future__ import annotations

import math

from leakaudit.cohorts.cohort import Cohort
from leakaudit.errors import ConfigurationError, TraceError
from leakaudit.metrics import PerceptualDistance
from leakaudit.metrics.ssim import WINDOW
from leakaudit.models.measuring import measured
from leakaudit.plan.configuration import AuditConfiguration, Judgement
from leakaudit.plan.plan import references
from leakaudit.split.spec import OWN, SplitSpec, level_size
from leakaudit.trace.description import TraceDescription
from leakaudit.training.data import channels_of


def check_fits(split: SplitSpec, cohort: Cohort) -> None:
    """Hold split and cohort against each other.

    Raises:
        ConfigurationError: dimensions, sizes or modalities do not go together.
    """
    if split.dimensions != len(cohort.space):
        raise ConfigurationError(
            "split.dimensions must be that of the images",
            found=f"{split.dimensions}, and images of {_size(cohort.space)}",
            remedy=f"set split.dimensions = {len(cohort.space)}, or read the cohort as "
            + ("2-D slices" if split.dimensions == 2 else "3-D patches"),
        )
    if min(cohort.space) < WINDOW:
        raise ConfigurationError(
            f"images must have at least {WINDOW} voxels along every axis: SSIM looks at as many",
            found=_size(cohort.space),
            remedy="use larger slices or patches",
        )
    for party in split.parties:
        channels_of(cohort, party)
    if not split.is_reference:
        return
    deepest = len(split.channels) - 1
    space = level_size(cohort.space, deepest)
    # Instance norm needs two voxels to norm.
    if math.prod(space) < 2:
        raise ConfigurationError(
            "the deepest level must have at least two voxels: each level halves the image",
            found=f"{_size(cohort.space)} and {len(split.channels)} levels",
            remedy="name fewer split.channels, or use larger images",
        )


def fitted(configuration: AuditConfiguration, cohort: Cohort) -> AuditConfiguration:
    """The configuration with the cuts of its network measured on images of this cohort's size.

    Raises:
        ConfigurationError: split and cohort do not go together, or the network cannot be split, as
            the parties hold it or as a reference does.
    """
    check_fits(configuration.split, cohort)
    split = measured(configuration.split, len(cohort.regions), cohort.space)
    for reference in references(split, configuration.training.references).values():
        measured(reference, len(cohort.regions), cohort.space)
    return configuration.model_copy(update={"split": split})


def check_same_model(description: TraceDescription, configuration: AuditConfiguration) -> None:
    """A trace names no code to run: the model that rebuilds its networks is the auditor's.

    Raises:
        TraceError: the trace was recorded with another model than the configuration names.
    """
    theirs, ours = description.split.model, configuration.split.model
    if description.network == "own" and theirs.use == OWN:
        return
    builds = description.network != "own" or not description.split.is_reference
    if builds and theirs != ours:
        raise TraceError(
            "the configuration must name the model that the trace was recorded with",
            found=f"{ours.use} in the configuration, {theirs.use} {theirs.settings} in the trace",
            remedy="if you trust that code, write it as the table [model]",
        )


def lpips_backbone(judgement: Judgement) -> tuple[str | None, dict[str, str]]:
    """The backbone's file, or why LPIPS is not measured.

    Raises:
        ConfigurationError: the configuration names a place where there is none.
    """
    if judgement.lpips == "off":
        return None, {"lpips": "switched off in the configuration (judgement.lpips)"}
    metric = PerceptualDistance(weights=judgement.lpips_weights)
    missing = metric.available()
    if missing is not None and judgement.lpips_weights is not None:
        # A place that somebody named is a promise; leaving LPIPS out would pass over it in silence.
        raise ConfigurationError(
            "judgement.lpips_weights must name the LPIPS backbone, or a folder it lies in",
            found=judgement.lpips_weights,
            remedy='mend the path, leave the setting out, or write judgement.lpips = "off"',
        )
    if missing is not None:
        return None, {"lpips": missing}
    return str(metric.backbone()), {}


def _size(space: tuple[int, ...]) -> str:
    return " x ".join(map(str, space))
