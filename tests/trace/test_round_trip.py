"""What went in comes out: messages, updates, snapshots, order, description."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_run import SAMPLES, SPLIT, Run, described
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.split.spec import SERVER
from leakaudit.trace import TraceDescription
from leakaudit.trace.reader import TraceReader, replay
from leakaudit.trace.writer import TraceWriter

UP = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 1)
DOWN = Route(SERVER, "flair", Direction.GRADIENT, Cut.ENCODER, 0)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run()


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traces") / "trace"
    run.recorded(folder, described(), shard_bytes=1 << 15)
    return folder


def expected(run: Run, route: Route, epoch: int, sample: int) -> Tensor:
    (found,) = (
        message.tensor[row]
        for message in run.sent
        if (message.route, message.epoch) == (route, epoch)
        for row, owner in enumerate(message.samples.tolist())
        if owner == sample
    )
    return found


@pytest.mark.parametrize("route", [UP, DOWN])
@pytest.mark.parametrize("epoch", [0, 1])
def test_messages_come_back_ordered_by_sample(
    run: Run, folder: Path, route: Route, epoch: int
) -> None:
    reader = TraceReader(folder)
    rows = reader.messages(route, epoch)
    assert reader.samples == SAMPLES
    assert reader.patients == ("P0", "P1", "P1", "P2", "P2", "P5")
    for sample, row in zip(SAMPLES, rows, strict=True):
        assert torch.equal(row, expected(run, route, epoch, sample))


def test_an_exchange_follows_the_order_of_its_victims(run: Run, folder: Path) -> None:
    exchange = TraceReader(folder).exchange([20, 4])
    assert exchange.epochs == (0, 1)
    assert exchange.message_size == max(len(message.samples) for message in run.sent)
    for direction, route in ((Direction.ACTIVATION, UP), (Direction.GRADIENT, DOWN)):
        rows = exchange.messages(route.party, route.level, direction, 1)
        assert len(rows) == 2
        assert torch.equal(rows[0], expected(run, route, 1, 20))
        assert torch.equal(rows[1], expected(run, route, 1, 4))


def test_updates_point_at_the_rows_of_the_view(run: Run, folder: Path) -> None:
    exchange = TraceReader(folder).exchange([8, 4, 3])
    updates = exchange.updates("flair", 1)
    assert [update.rows.tolist() for update in updates] == [[2], [1]]
    weights, cut = run.gradients("flair")
    assert all(torch.equal(updates[0].weights[name], weights[name]) for name in weights)
    assert set(updates[0].weights) == set(weights)
    assert {level: each.shape for level, each in updates[0].cut.items()} == {
        level: each.shape for level, each in cut.items()
    }
    # Samples that are not among the victims stay out.
    assert TraceReader(folder).exchange([8]).updates("flair", 1) == []


def test_replay_gives_every_message_in_the_order_it_crossed(run: Run, folder: Path) -> None:
    replayed = list(replay(folder))
    assert len(replayed) == len(run.sent)
    for ours, theirs in zip(replayed, run.sent, strict=True):
        assert (ours.route, ours.epoch, ours.step) == (theirs.route, theirs.epoch, theirs.step)
        assert torch.equal(ours.samples, theirs.samples)
        assert torch.equal(ours.tensor, theirs.tensor)


def test_a_replayed_trace_records_to_the_same_messages(folder: Path, tmp_path: Path) -> None:
    description = described(epochs=(1,)).model_copy(update={"network": "own"})
    with TraceWriter(tmp_path / "again", description) as writer:
        for message in replay(folder):
            writer(message)
        writer.finish_epoch(1)
    again, once = TraceReader(tmp_path / "again"), TraceReader(folder)
    assert again.epochs == (1,)
    assert torch.equal(again.messages(DOWN, 1), once.messages(DOWN, 1))


def test_networks_are_rebuilt_as_they_were(run: Run, folder: Path) -> None:
    rebuilt = TraceReader(folder).rebuilt()
    last = rebuilt.network(1)
    for name, weight in run.network.state_dict().items():
        assert torch.equal(last.state_dict()[name], weight), name
    assert rebuilt.network(1) is last
    assert not last.training
    assert not any(parameter.requires_grad for parameter in last.parameters())
    first = rebuilt.network(0)
    assert not torch.equal(first.head.project.weight, last.head.project.weight)
    server, head = rebuilt.server(1)
    assert server is last.server
    assert head is last.head
    assert rebuilt.party("t1", 1) is last.party("t1")
    trainable = TraceReader(folder).rebuilt(trainable=True).party("t1", 0)
    assert all(parameter.requires_grad for parameter in trainable.parameters())


def test_same_run_same_digest(folder: Path, tmp_path: Path) -> None:
    Run().recorded(tmp_path / "same", described(), shard_bytes=1 << 15)
    Run().recorded(tmp_path / "fewer", described(epochs=(0,)), shard_bytes=1 << 15)
    digest = TraceReader(folder).content_sha256
    assert TraceReader(tmp_path / "same").content_sha256 == digest
    assert TraceReader(tmp_path / "fewer").content_sha256 != digest


def test_labels_at_a_party_add_the_routes_of_the_head(tmp_path: Path) -> None:
    split = SPLIT.model_copy(update={"labels_at": "flair"})
    run = Run(split)
    run.recorded(tmp_path / "trace", described(split, epochs=(0,)))
    reader = TraceReader(tmp_path / "trace")
    route = Route(SERVER, "flair", Direction.ACTIVATION, Cut.HEAD, 0)
    assert torch.equal(reader.messages(route, 0)[1], expected(run, route, 0, SAMPLES[1]))


def test_only_chosen_epochs_are_kept(tmp_path: Path) -> None:
    run = Run()
    run.recorded(tmp_path / "trace", described(epochs=(0, 2)))
    reader = TraceReader(tmp_path / "trace")
    assert reader.epochs == (0, 2)
    with pytest.raises(TraceError, match="only recorded epochs can be read; found: epoch 1"):
        reader.messages(UP, 1)


@settings(max_examples=20, deadline=None)
@given(
    batches=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    channels=st.integers(1, 3),
    side=st.integers(1, 5),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]),
    shard_bytes=st.sampled_from([1, 64, 1 << 20]),
    odd_neighbour=st.booleans(),
)
def test_any_message_round_trips(
    batches: list[int],
    channels: int,
    side: int,
    dtype: torch.dtype,
    shard_bytes: int,
    *,
    odd_neighbour: bool,
) -> None:
    total = sum(batches)
    content = torch.randn(total, channels, side, side).to(dtype)
    described_ = described(epochs=(0,)).model_dump() | {
        "network": "own",
        "samples": [{"sample": number, "patient": "P"} for number in range(total)],
    }
    neighbour = Route(SERVER, "t1", Direction.GRADIENT, Cut.ENCODER, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "trace"
        description = TraceDescription.model_validate(described_)
        with TraceWriter(folder, description, shard_bytes=shard_bytes) as writer:
            for step, rows in enumerate(torch.randperm(total).split(batches)):
                if odd_neighbour:
                    # Three bytes per row: whatever comes next starts at an odd place.
                    odd = torch.ones(len(rows), 3, dtype=torch.uint8)
                    writer(Message(neighbour, odd, rows, 0, step))
                writer(Message(UP, content[rows], rows, 0, step))
            writer.finish_epoch(0)
        assert torch.equal(TraceReader(folder).messages(UP, 0), content)


def test_non_contiguous_and_part_tensors_are_stored_as_seen(tmp_path: Path) -> None:
    whole = torch.arange(6 * 2 * 40.0).reshape(6, 40, 2)
    part = whole.transpose(1, 2)[:, :, 3:5]
    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    with TraceWriter(tmp_path / "trace", description) as writer:
        writer(Message(UP, part, torch.tensor(SAMPLES), 0, 0))
        writer.finish_epoch(0)
    assert torch.equal(TraceReader(tmp_path / "trace").messages(UP, 0), part)


def test_routes_are_described_as_seen(folder: Path) -> None:
    text = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
    assert text["routes"][0] == {
        "sender": "t1",
        "receiver": "server",
        "direction": "activation",
        "cut": "level 0",
        "number": 0,
        "shape": [4, 17, 16],
        "dtype": "float32",
    }
    assert len(text["routes"]) == 8
    assert text["complete"] is True
