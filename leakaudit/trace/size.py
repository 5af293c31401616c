"""How large a trace will be, and whether the disk has room for it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import torch

from leakaudit.errors import EnvironmentProblemError
from leakaudit.exchange.endpoint import Network
from leakaudit.split.spec import SplitSpec

_FLOAT_BYTES = 4
# Name, type, shape and place of a tensor in a shard's header, with room for long party names.
_HEADER_BYTES = 140


def estimate_bytes(
    split: SplitSpec,
    space: tuple[int, ...],
    samples: int,
    epochs: int,
    *,
    weight_updates: int = 0,
    regions: int = 1,
) -> int:
    """Size of a trace in bytes, before it is recorded: an upper bound, close for images of use.

    Guards that add channels or weights are not counted. Headers are, as if each batch held one
    sample.

    Args:
        split: after the defenses reshaped it.
        space: size of the images in voxels.
        samples: training samples.
        epochs: recorded epochs.
        weight_updates: probe samples per epoch whose encoder gradients are recorded.
        regions: label regions.
    """
    per_link = max(
        sum(math.prod(split.shape(level, space, name)) for level in split.crossing)
        for name in split.party_names
    )
    parties = len(split.parties)
    links = 1 if split.orientation == "horizontal" else parties
    rounds = split.orientation == "horizontal"  # each party's update before averaging
    at_head = 0 if split.label_holder is None else math.prod(split.last_shape(space))
    # Others' networks are run while they are taken apart, which needs their weights.
    with torch.device("meta") if split.is_reference else nullcontext():
        network = Network(split, regions, space, seed=0)
    encoders = [network.party(name).encoder for name in split.party_names]
    rest = [network.server, network.head]
    at_parties, names_at_parties = _parameters(encoders)
    elsewhere, names_elsewhere = _parameters(rest)
    routes = 2 * (links * len(split.crossing) + (split.label_holder is not None))
    numbers = (
        2 * samples * (links * per_link + at_head)
        + (1 + rounds) * at_parties
        + elsewhere
        + weight_updates * (at_parties + parties * per_link)
    )
    tensors = (
        2 * samples * routes
        + (1 + rounds) * names_at_parties
        + rounds * (parties + samples)
        + names_elsewhere
        + weight_updates * (names_at_parties + parties * (1 + len(split.crossing)))
    )
    return epochs * (_FLOAT_BYTES * numbers + _HEADER_BYTES * tensors)


def check_disk(folder: Path, needed: int, what: str = "the trace") -> None:
    """Refuse to start what the disk cannot hold.

    Args:
        folder: where it will be; need not exist yet.
        needed: bytes.
        what: is to be written.

    Raises:
        EnvironmentProblemError: less is free than needed.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise EnvironmentProblemError(
            f"the disk of {folder} must have room for {what}: {_megabytes(needed)} needed",
            found=f"{_megabytes(free)} free",
            remedy="free disk space, name another folder, or record fewer epochs",
        )


def _parameters(modules: Iterable[torch.nn.Module]) -> tuple[int, int]:
    """How many numbers the modules hold, under how many names."""
    sizes = [each.numel() for module in modules for each in module.parameters()]
    return sum(sizes), len(sizes)


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
