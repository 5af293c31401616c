"""What an adversary has beside the messages: patients of its own, and what it holds of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from leakaudit.errors import NotMountableError
from leakaudit.split.spec import SERVER
from leakaudit.threat.knowledge import Adversary, Knowledge
from leakaudit.threat.sources import Auxiliary, Candidates


@dataclass(frozen=True, eq=False, kw_only=True)
class Belongings:
    """Images, masks and people that an adversary knows. Every accessor checks the grant.

    Attributes:
        adversary: whose they are.
        knowledge: position and grants together.
    """

    adversary: Adversary
    knowledge: Knowledge
    _auxiliary: Auxiliary
    _own_images: Mapping[str, Tensor]
    _labels: Tensor | None
    _candidates: Candidates | None = None
    _kept: Mapping[str, Tensor] | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Parties whose own data and links the adversary has."""
        return tuple(name for name in self.adversary.members if name != SERVER)

    def auxiliary_images(self, party: str) -> Tensor:
        """Images of the adversary's own patients in a party's modalities."""
        self._require(Knowledge.AUXILIARY_IMAGES)
        return self._auxiliary.images[party]

    def auxiliary_masks(self) -> Tensor:
        """Label masks of the adversary's own patients."""
        self._require(Knowledge.AUXILIARY_LABELS)
        return self._auxiliary.masks

    @property
    def auxiliary_patients(self) -> Tensor:
        """Which auxiliary samples belong together, for early stopping by patient."""
        return self._auxiliary.patients

    def candidate_images(self, party: str) -> Tensor:
        """One image of every candidate in a party's modalities: (c, modalities, *space)."""
        self._require(Knowledge.CANDIDATE_IMAGES)
        if self._candidates is None:
            raise NotMountableError("candidates were granted but are not in this view")
        return self._candidates.images[party]

    def candidate_masks(self) -> Tensor:
        """Label masks of the candidates: (c, regions, *space)."""
        self._require(Knowledge.CANDIDATE_LABELS)
        if self._candidates is None or self._candidates.masks is None:
            raise NotMountableError("the candidates' masks are not in this view")
        return self._candidates.masks

    def own_images(self, party: str) -> Tensor:
        """The attacked patients' images that the adversary holds itself."""
        self._require(Knowledge.OWN_IMAGES)
        self._require_member(party)
        return self._own_images[party]

    def labels(self) -> Tensor:
        """The attacked patients' masks, where the adversary holds them."""
        self._require(Knowledge.LABELS)
        if self._labels is None:
            raise NotMountableError("labels were granted but are not in this view")
        return self._labels

    def kept(self) -> Mapping[str, Tensor]:
        """What an active adversary took away from the training it took part in."""
        if self._kept is None:
            raise NotMountableError(
                "an active attack reads a training that it took part in",
                found="a training with an honest server",
                remedy="train with `leakaudit run`; a recorded trace cannot be interfered with",
            )
        return self._kept

    def _require(self, knowledge: Knowledge) -> None:
        lacking = knowledge & ~self.knowledge
        if lacking:
            raise NotMountableError(
                f"{self.adversary.name} was not granted this", found=", ".join(lacking.words)
            )

    def _require_member(self, party: str) -> None:
        if party not in self.members:
            raise NotMountableError(
                f"{self.adversary.name} does not sit at this party", found=party
            )
