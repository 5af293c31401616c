"""Attribute inference: features tell whether, where and how large a lesion is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from leakaudit.errors import NotMountableError
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.properties import Property, median_size, property_of
from leakaudit.threat.view import Target, View

from .parts.blocks import strides
from .parts.conditioning import by_patient
from .parts.effort import Effort, fewer_patients, scaled
from .parts.linear import LinearFit, fit_linear
from .parts.messages import Messages, gather

_FOLDS = 4
_FAINT = 0.1  # what a linear map says of healthy tissue: less than this share of a lesion


class AttributeInference(Attack):
    """Draw the lesion from the features, roughly, and read the patient's attribute off it.

    Knows: messages of the victim; query access, through the defense; auxiliary patients with their
    label masks.
    Differs: the papers train a classifier of the property on whole updates; here a linear map from
    features to masks, in closed form, learns from every position of every auxiliary sample, so
    that few patients suffice. A patient's samples are put together.
    Source: Ganju et al., "Property inference attacks", CCS 2018; Melis et al., "Exploiting
    unintended feature leakage", IEEE S&P 2019.
    """

    needs = (
        Knowledge.ACTIVATIONS
        | Knowledge.QUERIES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.AUXILIARY_LABELS
    )
    asset = "attribute"
    criterion = "inference"
    family = "property"
    source = "Ganju et al. 2018; Melis et al. 2019"

    attribute: Property = Field(
        default="lesion size",
        description="lesion present at all; lesion size above the auxiliary patients' median; "
        "lesion side: more of it in the second half of the image's last axis",
    )
    effort: Effort = Field(default="standard", description="scales the redraws")
    draws: PositiveInt = Field(
        default=4, le=64, description="redraws of a random defense on auxiliary images"
    )

    @property
    def told(self) -> Property:
        """As set."""
        return self.attribute

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One linear map per target; what is queried of a victim is shared by its targets."""
        masks, patients = view.auxiliary_masks().float(), view.auxiliary_patients
        median = median_size(masks, patients)
        _, truth = property_of(masks, patients, self.attribute, median)
        known = truth[~truth.isnan()]
        if len(torch.unique(known)) < 2:
            raise NotMountableError(
                "an attribute is learnt from auxiliary patients who differ in it",
                found=f"all {len(known)} auxiliary patients of whom it can be said are alike",
                remedy="take more auxiliary patients, or ask for another attribute",
            )
        guesses: dict[Target, Guess] = {}
        for victim in dict.fromkeys(target.victim for target in view.targets):
            targets = [target for target in view.targets if target.victim == victim]
            levels = sorted({level for target in targets for level in target.levels})
            sent = gather(view, victim, levels, scaled(self.draws, self.effort), rng)
            for target in targets:
                guesses[target] = self._guess(sent.only(target.levels), masks, view, rng)
        return guesses

    def _guess(self, sent: Messages, masks: Tensor, view: View, rng: Generator) -> Guess:
        patients = view.auxiliary_patients
        people = len(torch.unique(patients))

        def answer(rows: Tensor) -> Tensor:
            drawn = _draw(sent, masks[rows], patients[rows], rows, rng)
            return self._read_off(drawn, view.patients)

        fewer = tuple(
            Checkpoint(count, answer(rows)) for count, rows in fewer_patients(patients, rng)
        )
        values = answer(torch.arange(len(patients)))
        return Guess(
            values, effort=people, fewer=fewer, learnt_from=people,
            epochs=sent.epochs_of(tuple(sent.received)),
        )  # fmt: skip

    def _read_off(self, drawn: Tensor, patients: Tensor) -> Tensor:
        """(n,) 0 to 1, the same for all samples of a patient."""
        inside = (drawn.amax(1) - _FAINT).clamp(0, 1).double()
        half = inside.shape[-1] // 2
        first = _per_patient(inside[..., :half], patients)
        second = _per_patient(inside[..., -half:], patients)
        if self.attribute == "lesion side":
            scores = 0.5 + 0.5 * (second - first) / (first + second).clamp_min(1e-12)
        else:
            # A share of the image, spread out so that small lesions keep their distances.
            scores = _per_patient(inside, patients).sqrt()
        return scores.clamp(0, 1).float()


def _draw(sent: Messages, masks: Tensor, patients: Tensor, rows: Tensor, rng: Generator) -> Tensor:
    """(n, regions, *space): about the lesions of the attacked samples."""
    folds = by_patient(patients, _FOLDS, rng)
    level, fit = _best(sent, masks, rows, folds, rng)
    return fit.decoder(sent.received[level])


def _best(
    sent: Messages, masks: Tensor, rows: Tensor, folds: Sequence[Tensor], rng: Generator
) -> tuple[int, LinearFit]:
    """The level from which a linear map draws lesions best."""
    typical = masks.mean(0, keepdim=True)
    fits = []
    for level, features in sent.draws[0].items():
        base = typical if level in sent.centred else torch.zeros_like(typical)
        fits.append(
            (
                level,
                fit_linear(
                    features[rows],
                    masks,
                    base,
                    strides(masks.shape[2:], features.shape[2:]),
                    folds,
                    rng,
                ),
            )
        )
    return min(fits, key=lambda each: each[1].error)


def _per_patient(inside: Tensor, patients: Tensor) -> Tensor:
    """(n,) the mean over all samples of the patient that owns each."""
    _, owner = torch.unique(patients, return_inverse=True)
    each = inside.flatten(1).mean(1)
    sums = torch.zeros(int(owner.max()) + 1, dtype=each.dtype).index_add(0, owner, each)
    means: Tensor = (sums / torch.bincount(owner))[owner]
    return means
