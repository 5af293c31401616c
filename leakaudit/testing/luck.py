"""The generators that a whole process shares, which no plug-in may draw from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from leakaudit.errors import ContractError


@contextmanager
def left_alone(name: str) -> Iterator[None]:
    """Refuse whoever draws from a generator that all share, or seeds it.

    Args:
        name: of whoever is tried.

    Raises:
        ContractError: a shared generator stands elsewhere afterwards.
    """
    before = _states()
    yield
    if _states() != before:
        raise ContractError(
            "randomness comes from the generator that is handed in",
            found=f"{name} drew from one that the whole process shares, or seeded it",
            remedy="pass `generator=rng` to torch, and seed numpy's from it",
        )


@contextmanager
def elsewhere(seed: int) -> Iterator[None]:
    """Let the shared generators stand elsewhere for a while."""
    torch_state, numpy_state, python_state = (
        torch.random.get_rng_state(), np.random.get_state(), random.getstate(),
    )  # fmt: skip
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(torch_state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _states() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state()
    return (
        torch.random.get_rng_state().tolist(), kind, np.asarray(keys).tolist(), *rest,
        random.getstate(),
    )  # fmt: skip
