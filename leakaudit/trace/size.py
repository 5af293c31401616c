"""How large a trace will be, and whether the disk has room for it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import torch

from leakaudit.errors import EnvironmentProblemError
from leakaudit.split.networks import Head, PartyEncoder, ServerNetwork
from leakaudit.split.spec import SplitSpec, level_size

_FLOAT_BYTES = 4
# Names, indices and headers: about 300 bytes per message, and a message of interest has kilobytes.
_HEADERS = 1.02


def estimate_bytes(
    split: SplitSpec,
    space: tuple[int, ...],
    samples: int,
    epochs: int,
    *,
    weight_updates: int = 0,
    regions: int = 1,
) -> int:
    """Size of a trace in bytes, before it is recorded.

    Guards that add channels or weights are not counted.

    Args:
        split: after the defenses reshaped it.
        space: size of the images in voxels.
        samples: training samples.
        epochs: recorded epochs.
        weight_updates: probe samples per epoch whose encoder gradients are recorded.
        regions: label regions.
    """
    widths = split.channels
    per_link = sum(widths[level] * math.prod(level_size(space, level)) for level in split.crossing)
    parties = len(split.parties)
    links = 1 if split.orientation == "horizontal" else parties
    at_head = 0 if split.label_holder is None else widths[0] * math.prod(space)
    messages = 2 * samples * (links * per_link + at_head)
    with torch.device("meta"):
        encoders = [_parameters(PartyEncoder(split, len(p.modalities))) for p in split.parties]
        received = {level: [widths[level]] * parties for level in split.crossing}
        rest = _parameters(ServerNetwork(split, received)) + _parameters(Head(split, regions))
    snapshot = sum(encoders) + rest
    updates = weight_updates * (sum(encoders) + parties * per_link)
    return math.ceil(epochs * (messages + snapshot + updates) * _FLOAT_BYTES * _HEADERS)


def check_disk(folder: Path, needed: int) -> None:
    """Refuse to start what the disk cannot hold.

    Args:
        folder: where the trace will be; need not exist yet.
        needed: bytes.

    Raises:
        EnvironmentProblemError: less is free than needed.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise EnvironmentProblemError(
            f"the disk of {folder} must have room for the trace: {_megabytes(needed)} needed",
            found=f"{_megabytes(free)} free",
            remedy="free disk space, name another folder, or record fewer epochs",
        )


def _parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
