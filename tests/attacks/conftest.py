"""Exchanges in memory, each kind made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from memory_exchange import Setup, World, make_world


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """Makes exchanges, each kind once per session."""
    made: dict[str, World] = {}

    def make(**changes: object) -> World:
        key = repr(sorted(changes.items()))
        if key not in made:
            made[key] = make_world(Setup(**changes))
        return made[key]

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
