"""What holds for every model."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from leakaudit.errors import ContractError
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.models.model import Model
from leakaudit.models.networks import WholeNetwork
from leakaudit.models.split_unet import SplitUNet
from leakaudit.plugins import Use
from leakaudit.split.spec import SERVER, PartySpec, SplitSpec
from leakaudit.testing.settings import check_settings
from leakaudit.training.step import Batch, exchange

_SPLIT = SplitSpec(
    parties=(
        PartySpec(name="north", modalities=("T1",)),
        PartySpec(name="south", modalities=("T2", "FLAIR")),
    ),
    channels=(4, 8, 8),
    party_levels=2,
)
_REGIONS, _SAMPLES = 2, 3
# Settings of the models here that name something in somebody's network.
_NAMES = ("head_after", "inputs", "outputs", "dimensions")
# Of gradients in double precision: what autograd sums in another order.
_ROUNDING = 1e-5


def check_model(
    model: Model,
    split: SplitSpec = _SPLIT,
    space: tuple[int, ...] = (32, 32),
    *,
    free: tuple[str, ...] = (),
) -> None:
    """Hold a model to what an audit relies on.

    Its settings are described; a dry run measures its cuts and refuses what cannot be audited, such
    as owners that share a weight; the same seed gives the same weights; a training step over
    messages gives the loss and the gradients of the same networks on one autograd graph.

    Args:
        model: under some settings; it need not be registered.
        split: its parties, and where the labels are.
        space: size of the images.
        free: settings that take any number, or any text.

    Raises:
        ContractError: a rule is broken; it says which.
        ConfigurationError: the model cannot be split like this; it says why.

    Example:
        >>> from leakaudit.testing import check_model
        >>> from leakaudit.models.cut_network import CutNetwork
        >>> check_model(
        ...     CutNetwork(
        ...         network="monai.networks.nets:SegResNet",
        ...         settings={"init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]},
        ...         cut_after=("down_layers.0",),
        ...     )
        ... )
    """
    check_settings(model, (*free, *_NAMES))
    if not isinstance(model, SplitUNet):
        split = split.model_copy(update={"model": Use(use="under test")})
    name = type(model).__name__
    network, again = (Network(split, _REGIONS, space, seed=5, model=model) for _ in range(2))
    for (key, one), other in zip(network.state_dict().items(), again.state_dict().values(),
                                 strict=True):  # fmt: skip
        if not torch.equal(one, other):
            raise ContractError(
                "the same seed gives the same weights", found=f"{name}: {key} differs",
                remedy="draw weights from torch's own generator",
            )  # fmt: skip
    _check_step(network.double(), name, space)


def _check_step(network: Network, name: str, space: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(1)
    images = {
        party.name: torch.rand(_SAMPLES, len(party.modalities), *space, generator=rng).double()
        for party in network.split.parties
    }
    masks = (torch.rand(_SAMPLES, _REGIONS, *space, generator=rng) > 0.7).double()
    twin = copy.deepcopy(network)
    rngs = {each: torch.Generator() for each in (*network.split.party_names, SERVER)}
    loss = exchange(network, Link(), Batch(images, masks, torch.arange(_SAMPLES), 0, 0), rngs)
    encoders = [twin.party(each).encoder for each in twin.split.party_names]
    whole = WholeNetwork(encoders, twin.server, twin.head)
    in_one_piece: Tensor = twin.model.loss(whole(list(images.values())), masks)
    in_one_piece.backward()
    wrong = [] if torch.allclose(loss, in_one_piece.detach(), rtol=_ROUNDING) else ["the loss"]
    for (key, ours), theirs in zip(network.named_parameters(), twin.parameters(), strict=True):
        one = torch.zeros_like(ours) if ours.grad is None else ours.grad
        other = torch.zeros_like(ours) if theirs.grad is None else theirs.grad
        if not torch.allclose(one, other, rtol=_ROUNDING, atol=1e-9):
            wrong.append(f"the gradient of {key}")
    if wrong:
        raise ContractError(
            "a step over messages is the step of the network in one piece",
            found=f"{name}: {wrong[0]} differs",
            remedy="take out randomness and state that a forward pass changes",
        )
