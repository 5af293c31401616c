"""What a party's encoder must be for what crosses to be audited; refused before any training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError

# Of what a map says of two images together, what it does not say of each alone: rounding.
_ROUNDING = 1e-4
_FAR = 5.0
_POSITIONS = 9  # fewer, and any map looks affine


def features_of(encoder: nn.Module, images: Tensor, party: str) -> dict[int, Tensor]:
    """What an encoder sends for images, checked to be one row per sample.

    Raises:
        ConfigurationError: it does not run on them, or sends something else.
    """
    try:
        sent = encoder(images)
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            "a party's network must run on its images",
            found=f"{party}, {tuple(images.shape)}: {type(problem).__name__}: {problem}",
            remedy="mend the model's settings, or use another size of slices or patches",
        ) from None
    for number, each in sent.items():
        if each.ndim != images.ndim or len(each) != len(images) or not each.is_floating_point():
            raise ConfigurationError(
                "what crosses is (n, channels, *grid), floating-point, one row per sample",
                found=f"{tuple(each.shape)}, {each.dtype}, for {len(images)} samples from cut "
                f"{number} of {party}",
                remedy="cut at another place; a vector is sent as (n, channels, 1, 1)",
            )
        if not each.isfinite().all():
            raise ConfigurationError(
                "what crosses is finite",
                found=f"cut {number} of {party} gives NaN or infinity for random images",
                remedy="mend the network",
            )
    return dict(sent)


def check_encoder(
    encoder: nn.Module, images: Tensor, sent: Mapping[int, Tensor], party: str
) -> None:
    """Refuse an encoder that draws, or lets batches matter, outside of training.

    Args:
        encoder: in evaluation.
        images: (n, modalities, *space).
        sent: cut number to what it gave for them.
        party: whose it is, for messages.

    Raises:
        ConfigurationError: it does.
    """
    again = features_of(encoder, images, party)
    if any(not torch.equal(again[number], each) for number, each in sent.items()):
        raise ConfigurationError(
            "outside of training an encoder gives the same for the same images",
            found=f"two answers at {party}",
            remedy="take randomness out of evaluation; noise is a defense: [[defenses]]",
        )
    single = features_of(encoder, images[:1], party)
    for number, each in sent.items():
        if single[number].shape[1:] != each.shape[1:]:
            raise ConfigurationError(
                "the shape of what crosses is the same for every batch",
                found=f"{tuple(each.shape[1:])} and {tuple(single[number].shape[1:])} from cut "
                f"{number} of {party}",
                remedy="cut where shapes are fixed",
            )
        if not torch.allclose(single[number], each[:1], rtol=1e-3, atol=1e-4):
            raise ConfigurationError(
                "outside of training what crosses for a patient does not depend on others",
                found=f"cut {number} of {party} normalises over the batch, or otherwise mixes it",
                remedy="use instance norm, or batch norm with running statistics",
            )


def check_not_the_input(encoder: nn.Module, images: Tensor, party: str) -> None:
    """Refuse channels that are affine in the image: whoever knows the map reads the image.

    Affine up to a scale and a shift per sample, which a norm takes out: what is sent for the sum of
    two images is then a sum of what is sent for each.

    Raises:
        ConfigurationError: a channel is.
    """
    # Far beyond what images hold: a ramp that never bends on them is still no affine map.
    first, second = _FAR * torch.randn_like(images[:1]), _FAR * torch.randn_like(images[:1])
    try:
        told = [
            features_of(encoder, each, party)
            for each in (first + second, first, second, torch.zeros_like(first))
        ]
    except ConfigurationError:
        return  # a single image is too few for some norms in training
    for number, both in told[0].items():
        positions = both[0, 0].numel()
        if positions < _POSITIONS:
            continue
        columns = [each[number][0].flatten(1).double() for each in told[1:]]
        known = torch.stack([*columns, torch.ones_like(columns[0])], dim=2)
        wanted = both[0].flatten(1).double()
        left = wanted - (known @ torch.linalg.lstsq(known, wanted[..., None]).solution)[..., 0]
        # A channel that is silent but for a few positions is fitted by anything.
        busy = (wanted != wanted.median(1, keepdim=True).values).sum(1) > _POSITIONS * len(told)
        plain = (left.var(1) <= _ROUNDING**2 * wanted.var(1)) & busy
        if plain.any():
            raise ConfigurationError(
                "a cut does not send the input itself, nor an affine image of it",
                found=f"{int(plain.sum())} of {len(plain)} channels of cut {number} of {party}",
                remedy="cut behind a non-linear layer; model.send_affine = true audits it all the "
                "same",
            )
