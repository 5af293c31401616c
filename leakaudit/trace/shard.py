"""One shard: tensors that are held, then one safetensors file, whole or not at all.

The file is laid out here rather than by the safetensors package, which returns no digest: here
the tensors' own bytes are hashed and written in one pass without a copy. The package reads it back.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.trace.modes import private_file

SHARD_BYTES = 32 << 20
# A piece that was just hashed is still in the processor's cache when it is written.
_PIECE_BYTES = 1 << 20
_SMALL_BYTES = 1 << 16

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True, eq=False)
class _Held:
    name: str
    tensor: Tensor
    changes: int
    start: int


@dataclass
class Shard:
    """Tensors under their names, held until they are written.

    Attributes:
        file: name the shard will have.
        metadata: what the safetensors header says beside the tensors.
    """

    file: str
    metadata: dict[str, str]
    _filled: int = 0
    _held: list[_Held] = field(default_factory=list)
    _indices: list[tuple[str, Tensor]] = field(default_factory=list)

    def fits(self, tensors: Iterable[Tensor], limit: int) -> bool:
        """Whether tensors keep the shard below a size in bytes, and well aligned.

        Each starts at a multiple of its item size: readers in other languages map the file into
        memory and may use the tensors in place. The format allows no gaps that would align them.
        """
        end = self._filled
        for tensor in tensors:
            if end % tensor.element_size():
                return False
            end += tensor.nbytes
        return end <= limit

    def add(self, name: str, tensor: Tensor) -> None:
        """Hold a tensor that nobody changes from now on; one that is not in memory is copied."""
        kept = tensor.detach().to("cpu")
        if kept.untyped_storage().nbytes() > 2 * kept.nbytes:
            # A small part of something large would keep all of it in memory.
            kept = kept.clone()
        # Where `kept` is the very tensor, they share the counter of changes in place.
        self._held.append(_Held(name, kept, _changes(kept), self._filled))
        self._filled += kept.nbytes

    def add_indices(self, name: str, indices: Tensor) -> None:
        """Keep a small (n,) int64 tensor; all of them stand before the others in the file."""
        self._indices.append((name, indices.detach().to("cpu", torch.int64, copy=True)))

    def write(self, folder: Path, *, sync: bool) -> tuple[str, int]:
        """Write the file, whole or not at all.

        Args:
            folder: where it goes.
            sync: wait until the disk has it: survives a power cut, not only a killed process.

        Returns:
            SHA-256 of the file, and its bytes.

        Raises:
            TraceError: a tensor was changed in place since it was added.
        """
        digest, size = hashlib.sha256(), 0
        partial = folder / f".{self.file}.partial"
        try:
            with open(partial, "wb", buffering=_SMALL_BYTES, opener=private_file) as stream:
                for piece in self._pieces():
                    digest.update(piece)
                    stream.write(piece)
                    size += len(piece)
                if sync:
                    stream.flush()
                    os.fsync(stream.fileno())
            self._check_unchanged()
            partial.replace(folder / self.file)
        except (OSError, TraceError):
            partial.unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size

    def _pieces(self) -> Iterator[memoryview]:
        header: dict[str, object] = {"__metadata__": self.metadata}
        start = 0
        for name, indices in self._indices:
            header[name] = _entry(indices, start)
            start += indices.nbytes
        for held in self._held:
            header[held.name] = _entry(held.tensor, start + held.start)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        yield memoryview(len(text).to_bytes(8, "little") + text)
        for tensor in (*(each for _, each in self._indices), *(each.tensor for each in self._held)):
            content = _bytes(tensor)
            for begin in range(0, len(content), _PIECE_BYTES):
                yield content[begin : begin + _PIECE_BYTES]

    def _check_unchanged(self) -> None:
        for held in self._held:
            if _changes(held.tensor) != held.changes:
                raise TraceError(
                    "a tensor must not be changed in place once it was sent",
                    found=f"{held.name} in {self.file}",
                    remedy="clone it before sending, or do without the in-place operation",
                )


def _changes(tensor: Tensor) -> int:
    """How often a tensor was changed in place; inference tensors keep no count."""
    return 0 if tensor.is_inference() else tensor._version


def _entry(tensor: Tensor, start: int) -> dict[str, object]:
    return {
        "dtype": _DTYPES[tensor.dtype],
        "shape": [*tensor.shape],
        "data_offsets": [start, start + tensor.nbytes],
    }


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.reshape(-1)
    if not flat.numel():
        return memoryview(b"")
    array: npt.NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return array.data


def storable(dtype: torch.dtype) -> bool:
    """Whether tensors of this type can stand in a shard."""
    return dtype in _DTYPES


def widest_first(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """In an order in which each tensor starts at a multiple of its own item size."""
    return sorted(tensors.items(), key=lambda item: -item[1].element_size())
