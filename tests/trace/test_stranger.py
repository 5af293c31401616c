"""A stranger's trace: only files of its own folder are read, and no more than is there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from recorded_run import SAMPLES, Run, described
from safetensors.torch import load_file, save_file

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.split.spec import SERVER
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.writer import TraceWriter

UP = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 1)
SHARD = "epoch-00000-messages-00000.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Run().recorded(tmp_path / "trace", described(), shard_bytes=1 << 15)
    return tmp_path / "trace"


def logged(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the line of the first shard of messages."""
    lines = [json.loads(line) for line in (folder / "shards.jsonl").read_text().splitlines()]
    change(next(line for line in lines if line["file"] == SHARD))
    (folder / "shards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def read_all(folder: Path) -> None:
    reader = TraceReader(folder)
    reader.verify()
    for route in reader.routes:
        reader.messages(route, 0)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / SHARD).rename(tmp_path / "elsewhere")
    (folder / SHARD).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TraceError, match=f"{SHARD} in a trace must be a file.*symbolic link"):
        TraceReader(folder).verify()


@pytest.mark.parametrize("name", ["trace.json", "shards.jsonl"])
def test_its_own_texts_are_no_links_either(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(TraceError, match=f"{name} in a trace must be a file.*symbolic link"):
        TraceReader(folder)


@pytest.mark.parametrize("name", [SHARD, "trace.json"])
def test_a_pipe_is_refused_without_waiting_for_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(TraceError, match="must be a file of the trace's own folder"):
        TraceReader(folder).verify()


@pytest.mark.parametrize(
    "change",
    [
        {"file": f"../trace/{SHARD}"},
        {"file": "/etc/passwd"},
        {"file": "a\x00b"},
        {"file": ".."},
        {"file": "x" * 5000},
        {"file": None},
        {"epoch": -0.0},
        {"epoch": True},
        {"epoch": 10**30},
        {"sha256": "no digest"},
        {"bytes": -1},
    ],
)
def test_a_log_line_names_a_file_of_the_folder_and_whole_numbers(
    folder: Path, change: dict[str, object]
) -> None:
    logged(folder, lambda line: line.update(change))
    with pytest.raises(TraceError, match=r"line \d+ of shards.jsonl is not a log entry"):
        TraceReader(folder)


@pytest.mark.parametrize("seed", [-1, 1 << 62, 0.5])
def test_the_seed_is_one_that_generators_take(folder: Path, seed: float) -> None:
    description = json.loads((folder / "trace.json").read_text()) | {"seed": seed}
    (folder / "trace.json").write_text(json.dumps(description))
    with pytest.raises(TraceError, match="seed"):
        TraceReader(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [1 << 40, 8, 8]},
        {"shape": [0, 8, 8]},
        {"shape": [-4, 8, 8]},
        {"shape": [4, 8, 8, 8, 8, 8]},
        {"dtype": "Tensor"},
        {"dtype": "complex64"},
        {"shape": [2, 4, 8, 8]},
        {"dtype": "float16"},
    ],
)
def test_a_shape_is_bounded_before_memory_is_taken(folder: Path, change: dict[str, object]) -> None:
    description = json.loads((folder / "trace.json").read_text())
    description["routes"][0] |= change
    (folder / "trace.json").write_text(json.dumps(description))
    with pytest.raises(TraceError):
        read_all(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors | {"cuckoo": torch.ones(3)},
        lambda tensors: tensors | {"00000000/000000/999/tensor": torch.ones(3)},
        lambda tensors: {k: v for k, v in tensors.items() if not k.endswith("samples")},
        lambda tensors: {k: v.double() if "samples" in k else v for k, v in tensors.items()},
        lambda tensors: {k: v[:1] if "tensor" in k else v for k, v in tensors.items()},
    ],
)
def test_a_shard_holds_messages_and_nothing_else(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    tensors = {name: each.clone() for name, each in load_file(folder / SHARD).items()}
    save_file(change(tensors), folder / SHARD)
    content = (folder / SHARD).read_bytes()
    right = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    logged(folder, lambda line: line.update(right))
    with pytest.raises(TraceError, match=f"shard {SHARD} must be as it was recorded"):
        read_all(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_when_read(tmp_path: Path, dtype: torch.dtype) -> None:
    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    sent = torch.linspace(-1, 1, 12).reshape(6, 2).to(dtype)
    with TraceWriter(tmp_path / "trace", description) as writer:
        writer(Message(UP, sent, torch.tensor(SAMPLES), 0, 0))
        writer.finish_epoch(0)
    reader = TraceReader(tmp_path / "trace")
    read = reader.messages(UP, 0)
    assert read.dtype == torch.float32
    assert torch.equal(read, sent.float())
    assert reader.description.routes[0].dtype == str(dtype).removeprefix("torch.")
