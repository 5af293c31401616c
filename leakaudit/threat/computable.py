"""Refusals of what an attack could not compute with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.sources import Logged


def require_finite(tensors: Sequence[Tensor], where: str) -> None:
    """Refuses what was recorded where it cannot be computed with."""
    broken = sum(int((~torch.isfinite(tensor)).sum()) for tensor in tensors)
    if broken:
        raise AttackInvalidError(
            "what was recorded must be finite",
            found=f"{broken} values that are not: {where}",
            remedy="lower the training's learning rate, or record another epoch",
        )


def require_each_alone(endpoint: object) -> None:
    """Refuses an encoder that normalises over the batch, and one that only answered queries."""
    if isinstance(endpoint, Logged):
        raise NotMountableError(
            "the attack has to run a party's encoder",
            found="a job's own network, of which answers to queries were recorded",
            remedy="mount attacks that ask, and need no weights",
        )
    over_batch = [
        type(module).__name__
        for module in (endpoint.modules() if isinstance(endpoint, nn.Module) else ())
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    if over_batch:
        raise NotMountableError(
            "matching needs an encoder that treats every sample of a batch alone",
            found=f"{over_batch[0]}, which in training mixes the samples of a batch",
            remedy="mount decoder-inversion, which needs queries alone",
        )
