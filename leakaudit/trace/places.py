"""What stands where in a shard. Names come from the file, which may be a stranger's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.trace.description import LogEntry
from leakaudit.trace.files import CheckedFiles, damaged

BLANK = -1
"""In place of a sample's number: an image of zeros, which a job was asked about."""

_MESSAGE = re.compile(r"(\d{1,12}/(\d{1,12})/(\d{1,6}))/(tensor|samples)")
_UPDATE = re.compile(r"(\d{1,12}/(\d{1,6}))/(samples|weights/.+|cut/\d{1,3})")


@dataclass(frozen=True, eq=False)
class Place:
    """Where one message stands.

    Attributes:
        entry: its shard.
        name: of its tensor in the shard.
        step: of training.
        route: position in the description's routes.
        samples: (n,) cohort indices of its rows.
    """

    entry: LogEntry
    name: str
    step: int
    route: int
    samples: Tensor


def places_in(files: CheckedFiles, entry: LogEntry, routes: int) -> Iterator[Place]:
    """The messages of one shard.

    Args:
        files: of the trace.
        entry: the shard.
        routes: how many the description names.

    Raises:
        TraceError: the shard is damaged, or holds something else.
    """
    with files.opened(entry) as shard:
        names = set(shard.keys())
        for name in sorted(names):
            match = _MESSAGE.fullmatch(name)
            if match is None or int(match[3]) >= routes:
                raise _no_part(entry, name)
            if not {f"{match[1]}/samples", f"{match[1]}/tensor"} <= names:
                raise _no_part(entry, name)
            if match[4] == "tensor":
                samples = _samples(entry, shard.get_tensor(f"{match[1]}/samples").clone())
                yield Place(entry, name, int(match[2]), int(match[3]), samples)


def updates_in(
    files: CheckedFiles, entry: LogEntry
) -> Iterator[tuple[int, list[int], dict[str, Tensor]]]:
    """Weight updates of one shard: number of the party, cohort indices, tensors by name.

    Raises:
        TraceError: the shard is damaged, or holds something else.
    """
    parts: dict[tuple[str, int], dict[str, Tensor]] = {}
    for name, tensor in files.load(entry).items():
        match = _UPDATE.fullmatch(name)
        if match is None:
            raise _no_part(entry, name)
        parts.setdefault((match[1], int(match[2])), {})[match[3]] = widened(tensor)
    for (prefix, owner), each in sorted(parts.items()):
        if "samples" not in each:
            raise _no_part(entry, prefix)
        yield owner, _samples(entry, each["samples"]).tolist(), each


def under(prefix: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start so, without that start."""
    return {
        name.removeprefix(prefix): each for name, each in parts.items() if name.startswith(prefix)
    }


def widened(tensor: Tensor) -> Tensor:
    """To what is computed with: half precision lacks most operations on a processor."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _samples(entry: LogEntry, owners: Tensor) -> Tensor:
    if owners.dtype != torch.int64 or owners.ndim != 1 or not len(owners):
        raise damaged(str(entry.file), "a list of samples that is none")
    return owners


def _no_part(entry: LogEntry, name: str) -> TraceError:
    return damaged(str(entry.file), f"{name!r} is no part of what a trace records")
