"""One shard: tensors gathered in memory, then one safetensors file, whole or not at all.

The file is laid out here rather than by the safetensors package because that needs all tensors
as separate objects and gives back no digest: here the bytes that were gathered are hashed and
written in one pass, without another copy. The package reads the files back.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SHARD_BYTES = 32 << 20
# A piece that was just hashed is still in the processor's cache when it is written.
_PIECE_BYTES = 1 << 20

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


@dataclass
class Shard:
    """Tensors under their names, gathered into one block of memory.

    Attributes:
        file: name the shard will have.
        metadata: what the safetensors header says beside the tensors.
        buffer: (bytes,) uint8 memory that the tensors are copied into.
    """

    file: str
    metadata: dict[str, str]
    buffer: Tensor
    _filled: int = 0
    _entries: list[tuple[str, str, list[int], int, int]] = field(default_factory=list)
    _indices: list[tuple[str, Tensor]] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of tensors, indices left out."""
        return len(self._entries)

    def fits(self, *tensors: Tensor) -> bool:
        """Whether there is room, and the next tensor would start at a multiple of its item size.

        Readers map the file into memory, so that an odd start would be unreadable, and the format
        allows no gaps.
        """
        start = self._filled
        for tensor in tensors:
            if start % tensor.element_size():
                return False
            start += tensor.nbytes
        return start <= len(self.buffer)

    def add(self, name: str, tensor: Tensor) -> None:
        """Copy a tensor in; the caller made sure that it fits."""
        end = self._filled + tensor.nbytes
        flat = tensor.detach().reshape(-1)
        if flat.numel():
            self.buffer[self._filled : end].copy_(flat.view(torch.uint8))
        self._entries.append((name, _DTYPES[tensor.dtype], [*tensor.shape], self._filled, end))
        self._filled = end

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
        """
        digest, size = hashlib.sha256(), 0
        partial = folder / f".{self.file}.partial"
        try:
            with partial.open("wb", buffering=0) as stream:
                for piece in self._pieces():
                    digest.update(piece)
                    _write_all(stream.fileno(), piece)
                    size += len(piece)
                if sync:
                    os.fsync(stream.fileno())
            partial.replace(folder / self.file)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size

    def _pieces(self) -> Iterator[memoryview]:
        indices = torch.cat([tensor for _, tensor in self._indices] or [torch.empty(0).long()])
        header: dict[str, object] = {"__metadata__": self.metadata}
        start = 0
        for name, tensor in self._indices:
            offsets = [start, start + tensor.nbytes]
            header[name] = {"dtype": "I64", "shape": [*tensor.shape], "data_offsets": offsets}
            start = offsets[1]
        for name, dtype, shape, begin, end in self._entries:
            offsets = [start + begin, start + end]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        yield memoryview(len(text).to_bytes(8, "little") + text)
        yield _bytes(indices.view(torch.uint8))
        payload = _bytes(self.buffer)
        for begin in range(0, self._filled, _PIECE_BYTES):
            yield payload[begin : min(begin + _PIECE_BYTES, self._filled)]


def _bytes(tensor: Tensor) -> memoryview:
    array: npt.NDArray[np.uint8] = tensor.numpy()
    return array.data


def _write_all(descriptor: int, piece: memoryview) -> None:
    while len(piece):
        piece = piece[os.write(descriptor, piece) :]


def storable(dtype: torch.dtype) -> bool:
    """Whether tensors of this type can stand in a shard."""
    return dtype in _DTYPES
