"""Tapping a model that trains elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from recorded_run import described
from torch import nn

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.exchange.taps import Crossing, tapped
from leakaudit.split.spec import SERVER
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.writer import TraceWriter

UP = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 0)
DOWN = Route(SERVER, "t1", Direction.GRADIENT, Cut.ENCODER, 0)
ROWS = torch.tensor([3, 4])


def model() -> nn.Sequential:
    torch.manual_seed(0)
    # In place: what was sent must not follow the change.
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 1))


def test_activations_and_gradients_of_a_submodule() -> None:
    network, seen = model(), list[Message]()
    images = torch.rand(2, 1, 4, 4)
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        position.at(ROWS, epoch=2, step=5)
        network(images).sum().backward()
    sent = network[0](images).detach().requires_grad_()
    network[3](network[2](torch.relu(sent))).sum().backward()
    assert [message.route for message in seen] == [UP, DOWN]
    assert torch.equal(seen[0].tensor, sent.detach())
    assert (seen[0].tensor < 0).any()
    assert sent.grad is not None
    assert torch.allclose(seen[1].tensor, sent.grad)
    assert all((message.epoch, message.step) == (2, 5) for message in seen)
    assert all(torch.equal(message.samples, ROWS) for message in seen)


def test_training_is_the_same_with_and_without_taps() -> None:
    images = torch.rand(2, 1, 4, 4)
    plain, watched = model(), model()
    plain(images).sum().backward()
    with tapped(watched, {"0": Crossing("t1")}, [lambda message: None]) as position:
        position.at(ROWS, epoch=0, step=0)
        watched(images).sum().backward()
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_only_training_inside_the_context_is_shown() -> None:
    network, seen = model(), list[Message]()
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        position.at(ROWS, epoch=0, step=0)
        with torch.no_grad():
            network(torch.rand(2, 1, 4, 4))
        network.eval()
        network(torch.rand(2, 1, 4, 4))
        network.train()
    network(torch.rand(2, 1, 4, 4)).sum().backward()
    assert seen == []


def test_a_foreign_model_is_recorded(tmp_path: Path) -> None:
    network = model()
    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    with (
        TraceWriter(tmp_path / "trace", description) as writer,
        tapped(network, {"0": Crossing("t1"), "2": Crossing("t1", level=1)}, [writer]) as position,
    ):
        for step, rows in enumerate(torch.tensor([3, 4, 7, 8, 11, 20]).split(2)):
            position.at(rows, epoch=0, step=step)
            network(torch.rand(2, 1, 4, 4)).sum().backward()
        writer.finish_epoch(0)
    reader = TraceReader(tmp_path / "trace")
    assert len(reader.routes) == 4
    assert reader.messages(UP, 0).shape == (6, 2, 2, 2)
    assert reader.exchange([8]).messages("t1", 1, Direction.GRADIENT, 0).shape == (1, 8)


def test_misuse_is_refused() -> None:
    network = model()
    with (
        pytest.raises(UnknownNameError, match="unknown submodule; found: '9'"),
        tapped(network, {"9": Crossing("t1")}, []),
    ):
        pass
    with (
        pytest.raises(ConfigurationError, match="a crossing of its own"),
        tapped(network, {"0": Crossing("t1"), "1": Crossing("t1")}, []),
    ):
        pass
    with (
        tapped(network, {"0": Crossing("t1")}, []),
        pytest.raises(ConfigurationError, match="2 rows for 0 samples"),
    ):
        network(torch.rand(2, 1, 4, 4))
