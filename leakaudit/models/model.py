"""What a model is: the networks of a split, where they run, their loss and their prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.models.loss import segmentation_loss
from leakaudit.plugins import Kind, Plugin, build
from leakaudit.split.spec import OWN, SplitSpec

ReceivedShapes = Mapping[int, Sequence[tuple[int, ...]]]
"""Cut to the shapes (channels, *grid) that the server gets, in the order of the split's parties."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One network at one owner: named tensors in, named tensors out.

    Attributes:
        owner: a party, or ``server``.
        module: called with the tensors it takes, in that order; gives one tensor, or a tuple.
        takes: names of its inputs; ``images`` at a party is what the party holds.
        gives: names of its outputs. What another owner takes, crosses: a cut of that name.
    """

    owner: str
    module: nn.Module
    takes: tuple[str, ...]
    gives: tuple[str, ...]


class Model(Plugin):
    """A network that can be split: encoders at the parties, the rest at the server.

    A party's encoder maps images (n, modalities, *space) to what crosses, cut number to
    (n, channels, *grid). The server's network is called with one such mapping per party and with
    the size of the images, and gives the last features; the head turns those into the output and
    stands where the labels are. No two of them share weights or an autograd graph.
    """

    send_affine: bool = Field(
        default=False,
        description="audit also a cut that sends the input or an affine image of it",
    )

    @abstractmethod
    def encoder(self, split: SplitSpec, party: str, space: tuple[int, ...]) -> nn.Module:
        """A party's network, with fresh weights from torch's own generator.

        Raises:
            ConfigurationError: it cannot be built from these settings.
        """

    @abstractmethod
    def server(
        self, split: SplitSpec, received: ReceivedShapes, regions: int, space: tuple[int, ...]
    ) -> nn.Module:
        """The server's network.

        Args:
            split: after the defenses reshaped it.
            received: shapes of what arrives, after the defenses.
            regions: label regions.
            space: size of the images.
        """

    @abstractmethod
    def head(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> nn.Module:
        """The last layers, at whoever holds the labels."""

    @property
    def read_by_attacks(self) -> bool:
        """Whether a test here shows the attacks reading what this network sends, undefended.

        Where nothing shows it, an audit cannot tell hiding from removing, and there is no "none
        shown". Believed only of models that ship here.
        """
        return False

    def check(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> None:
        """Refuse what only the model can tell; called before anything is trained.

        Raises:
            ConfigurationError: it cannot be split like this.
        """
        del split, regions, space

    def cut_names(self, split: SplitSpec) -> tuple[str, ...] | None:
        """What the cuts are called, in the order of their numbers; None: level 0, level 1, ..."""
        del split
        return None

    def loss(self, output: Any, masks: Tensor) -> Tensor:
        """The training loss, a scalar: Dice plus cross-entropy.

        Args:
            output: what the head gives: logits (n, regions, *space), or several resolutions of
                them, finest first, of which each coarser one weighs half of the one before.
            masks: (n, regions, *space), 0 or 1.
        """
        outputs = resolutions(output, masks.ndim - 2)
        weights = [0.5**number for number in range(len(outputs))]
        losses = [
            weight * segmentation_loss(each, _at_size_of(each, masks))
            for weight, each in zip(weights, outputs, strict=True)
        ]
        total = losses[0]
        for loss in losses[1:]:
            total = total + loss
        return total / sum(weights)

    def logits(self, output: Any, space: tuple[int, ...]) -> Tensor:
        """Of the finest resolution: (n, regions, *space); a region is predicted above 0."""
        return resolutions(output, len(space))[0]


def model_of(split: SplitSpec) -> Model:
    """The model that a split names, with its settings.

    Raises:
        NotMountableError: it is a job's own, and nobody here knows how it is built.
        UnknownNameError: no model of that name, or no setting of it, exists.
        ConfigurationError: a setting is out of its range.
    """
    if split.model.use == OWN:
        raise NotMountableError(
            "how the network is built must be known",
            found="a job's own network, of which messages alone were recorded",
            remedy="mount attacks that need no architecture",
        )
    model: Model = build(Kind.MODEL, split.model.use, split.model.settings)
    return model


def resolutions(output: Any, dimensions: int) -> tuple[Tensor, ...]:
    """The output as a tuple of logits, finest first.

    MONAI stacks several resolutions, all raised to full size, along the second axis.
    """
    if isinstance(output, Tensor):
        return (output,) if output.ndim == 2 + dimensions else output.unbind(1)
    return tuple(output)


def _at_size_of(logits: Tensor, masks: Tensor) -> Tensor:
    """Masks at a coarser resolution: a voxel is of a region where its nearest is."""
    size = tuple(logits.shape[2:])
    if size == tuple(masks.shape[2:]):
        return masks
    return nn.functional.interpolate(masks, size, mode="nearest")
