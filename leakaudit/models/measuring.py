"""One dry run of a model, before any training: what crosses, and what cannot be audited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.models.model import Model, model_of
from leakaudit.split.spec import SERVER, MeasuredCut, SplitSpec

_SAMPLES = 3
# Of what a map says of two images together, what it does not say of each alone: rounding.
_ROUNDING = 1e-4
_FAR = 5.0
_POSITIONS = 9  # fewer, and any map looks affine


def measured(
    split: SplitSpec, regions: int, space: tuple[int, ...], model: Model | None = None
) -> SplitSpec:
    """The split with the shapes of its cuts; split-u-net's follow from its settings.

    Args:
        split: as configured, or with parties taken out of it.
        regions: label regions.
        space: size of the images.
        model: one that is not registered; unset: the one that the split names.

    Raises:
        ConfigurationError: the model cannot be built or run, what it sends has no fixed shape or
            is (an affine image of) the input, it mixes patients outside of training, or its output
            does not fit the masks.
    """
    if model is None:
        model = model_of(split)
        if split.is_reference:
            return split
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        sent = {}
        for party in split.parties:
            encoder = model.encoder(split, party.name, space).eval()
            images = torch.rand(_SAMPLES, len(party.modalities), *space)
            sent[party.name] = features_of(encoder, images, party.name)
            _check_encoder(encoder, images, sent[party.name], party.name)
            if not model.send_affine:
                _check_not_the_input(encoder, images, party.name)
                _check_not_the_input(encoder.train(), images, party.name)
        cuts = _cuts(model, split, sent)
        split = split.model_copy(update={"cuts": cuts})
        last = _last_features(model, split, sent, regions, space)
        if split.label_holder is not None:
            split = split.model_copy(update={"head_shape": tuple(last.shape[1:])})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _check_fresh(model, split, space)
        model.check(split, regions, space)
        mixes = _mixes(model, split, regions, space)
    return split.model_copy(update={"mixes": mixes})


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


def _check_encoder(
    encoder: nn.Module, images: Tensor, sent: Mapping[int, Tensor], party: str
) -> None:
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


def _check_not_the_input(encoder: nn.Module, images: Tensor, party: str) -> None:
    """Refuse channels that are affine in the image: whoever knows the map reads the image.

    Affine up to a scale and a shift per sample, which a norm takes out: what is sent for the sum of
    two images is then a sum of what is sent for each.
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


def _check_fresh(model: Model, split: SplitSpec, space: tuple[int, ...]) -> None:
    """Every network is built anew: no two seeds, and no two owners, share weights."""
    kept = [model.encoder(split, name, space) for name in split.party_names]
    again = [model.encoder(split, name, space) for name in split.party_names]
    ours, theirs = (
        {weight.data_ptr() for each in every for weight in each.parameters()}
        for every in (kept, again)
    )
    if ours & theirs:
        raise ConfigurationError(
            "a model builds its networks anew whenever it is asked",
            found="the same weights twice",
            remedy="make the modules inside the function",
        )


def _mixes(
    model: Model, split: SplitSpec, regions: int, space: tuple[int, ...]
) -> bool:  # fmt: skip
    """Run one training step; whether it lets patients of a batch into each other's messages.

    Raises:
        ConfigurationError: the step does not run.
    """
    encoders = {p.name: model.encoder(split, p.name, space).train() for p in split.parties}
    images = {p.name: torch.rand(_SAMPLES, len(p.modalities), *space) for p in split.parties}
    others = {
        name: torch.cat([each[:1], torch.rand_like(each[1:])]) for name, each in images.items()
    }
    masks = (torch.rand(_SAMPLES, regions, *space) > 0.5).float()
    alone = split.orientation == "horizontal"
    names = split.party_names[:1] if alone else split.party_names
    try:
        sent, altered = (
            [_seeded(encoders[name], every[name]) for name in names] for every in (images, others)
        )
        received = {
            number: [tuple(sent[0 if alone else place][number].shape[1:])
                     for place in range(len(split.parties))]
            for number in split.crossing
        }  # fmt: skip
        server = model.server(split, received, regions, space).train()
        head = model.head(split, regions, space).train()
        arrived, changed = (
            [{level: tensor.detach().requires_grad_() for level, tensor in each.items()}
             for each in every]
            for every in (sent, altered)
        )  # fmt: skip

        _check_owners({**encoders, SERVER: server, "the label holder": head})

        def logits(features: list[dict[int, Tensor]]) -> Any:
            torch.manual_seed(1)
            return head(server(features, space))

        output = logits(arrived)
        model.loss(output, masks).backward()
        both = [model.logits(each, space)[:1] for each in (output, logits(changed))]
        same_logits = _alike(both[0], both[1])
        crossed = [tensor.grad for each in arrived for tensor in each.values()]
        if all(each is None for each in crossed):
            raise RuntimeError("no gradient comes back over a cut")
        torch.autograd.backward([tensor.sum() for each in sent for tensor in each.values()])
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            "one training step of the split network must run",
            found=f"{type(problem).__name__}: {str(problem).splitlines()[0]}",
            remedy="mend the network, or cut it elsewhere",
        ) from None
    return not same_logits or any(
        not _alike(one[level][:1], other[level][:1])
        for one, other in zip(sent, altered, strict=True)
        for level in one
    )


def _check_owners(owners: Mapping[str, nn.Module]) -> None:
    seen: dict[int, str] = {}
    for owner, module in owners.items():
        for weight in module.parameters():
            before = seen.setdefault(weight.data_ptr(), owner)
            if before != owner and weight.numel():
                raise ConfigurationError(
                    "no two owners share a weight",
                    found=f"{before} and {owner} do",
                    remedy="build every owner's network anew",
                )


def _seeded(encoder: nn.Module, images: Tensor) -> dict[int, Tensor]:
    torch.manual_seed(1)
    sent: dict[int, Tensor] = dict(encoder(images))
    return sent


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-5)


def _cuts(
    model: Model, split: SplitSpec, sent: Mapping[str, Mapping[int, Tensor]]
) -> tuple[MeasuredCut, ...]:
    numbers = sorted(next(iter(sent.values())))
    names = model.cut_names(split) or tuple(f"cut {number}" for number in numbers)
    return tuple(
        MeasuredCut(
            name=name,
            shapes=tuple(tuple(each[number].shape[1:]) for each in sent.values()),
        )
        for number, name in zip(numbers, names, strict=True)
    )


def _last_features(
    model: Model, split: SplitSpec, sent: Mapping[str, Mapping[int, Tensor]], regions: int,
    space: tuple[int, ...],
) -> Any:  # fmt: skip
    """What the server gives, once the output is known to fit the masks."""
    received = {
        number: [tuple(each[number].shape[1:]) for each in sent.values()]
        for number in split.crossing
    }
    server = model.server(split, received, regions, space).eval()
    head = model.head(split, regions, space).eval()
    arrived = list(sent.values())[: 1 if split.orientation == "horizontal" else None]
    wanted = (_SAMPLES, regions, *space)
    try:
        last = server(arrived, space)
        logits = model.logits(head(last), space)
        found = str(tuple(logits.shape))
    except ConfigurationError:
        raise
    except Exception as problem:
        logits, found = None, f"{type(problem).__name__}: {problem}"
    if logits is None or tuple(logits.shape) != wanted:
        raise ConfigurationError(
            "the network's output must fit the masks: (n, regions, *space)",
            found=f"{found}; masks: {wanted}",
            remedy="give it as many outputs as regions, at the size of the images",
        )
    if split.label_holder is not None and not isinstance(last, Tensor):
        raise ConfigurationError(
            "what crosses to the label holder is one tensor",
            found=type(last).__name__,
            remedy="let the head begin earlier",
        )
    return last
