"""One dry run of a model, before any training: what crosses, and what cannot be audited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.models.encoder_checks import check_encoder, check_not_the_input, features_of
from leakaudit.models.model import Model, model_of
from leakaudit.split.spec import SERVER, MeasuredCut, SplitSpec

_SAMPLES = 3


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
            check_encoder(encoder, images, sent[party.name], party.name)
            if not model.send_affine:
                check_not_the_input(encoder, images, party.name)
                check_not_the_input(encoder.train(), images, party.name)
        cuts = _cuts(model, split, sent)
        split = split.model_copy(update={"cuts": cuts})
        last = _last_features(model, split, sent, regions, space)
        if split.label_holder is not None:
            split = split.model_copy(update={"head_shape": tuple(last.shape[1:])})
    # Whoever asks may have gradients switched off; a training step needs them.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        _check_fresh(model, split, space)
        model.check(split, regions, space)
        mixes = _mixes(model, split, regions, space)
    return split.model_copy(update={"mixes": mixes})


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
