"""Tapping a model that trains elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor
from recorded_run import described
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

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
    description = description.model_copy(update={"recorded_at": ("t1",)})
    crossings = {"0": Crossing("t1"), "2": Crossing("t1", level=1, shape=(8, 1, 1))}
    with (
        TraceWriter(tmp_path / "trace", description) as writer,
        tapped(network, crossings, [writer]) as position,
    ):
        for step, rows in enumerate(torch.tensor([3, 4, 7, 8, 11, 20]).split(2)):
            position.at(rows, epoch=0, step=step)
            network(torch.rand(2, 1, 4, 4)).sum().backward()
        writer.finish_epoch(0)
    reader = TraceReader(tmp_path / "trace")
    assert len(reader.routes) == 4
    assert reader.messages(UP, 0).shape == (6, 2, 2, 2)
    assert reader.exchange([8]).messages("t1", 1, Direction.GRADIENT, 0).shape == (1, 8, 1, 1)


class Checkpointed(nn.Module):
    """Repeats its forward pass when gradients are asked for."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.reentrant = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), reentrant

    def forward(self, images: Tensor) -> Tensor:
        sent: Tensor = checkpoint(self.encoder, images, use_reentrant=self.reentrant)
        return sent


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", ["encoder", "encoder.0"])
def test_a_checkpointed_pass_is_shown_once(reentrant: bool, name: str) -> None:
    network, seen = Checkpointed(reentrant), list[Message]()
    with tapped(network, {name: Crossing("t1")}, [seen.append]) as position:
        for step in range(2):
            position.at(ROWS, epoch=0, step=step)
            network(torch.rand(2, 1, 4, 4, requires_grad=True)).sum().backward()
    found = [(message.route.direction.value, message.step) for message in seen]
    assert found == [("activation", 0), ("gradient", 0), ("activation", 1), ("gradient", 1)]


def test_a_compiled_model_is_tapped_by_its_own_names() -> None:
    network, seen = model(), list[Message]()
    compiled = torch.compile(network, backend="eager")
    compiled(torch.rand(2, 1, 4, 4)).sum().backward()
    with tapped(compiled, {"0": Crossing("t1")}, [seen.append]) as position:
        for step in range(2):
            position.at(ROWS, epoch=0, step=step)
            compiled(torch.rand(2, 1, 4, 4)).sum().backward()
    assert [message.step for message in seen] == [0, 0, 1, 1]
    compiled(torch.rand(2, 1, 4, 4)).sum().backward()
    assert len(seen) == 4


def test_wrapped_for_data_parallelism() -> None:
    network, seen = nn.Sequential(), list[Message]()
    network.add_module("module", model())
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        position.at(ROWS, epoch=0, step=0)
        network(torch.rand(2, 1, 4, 4)).sum().backward()
    assert [message.route for message in seen] == [UP, DOWN]


def test_mixed_precision_crosses_as_it_is() -> None:
    network, seen = model(), list[Message]()
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        position.at(ROWS, epoch=0, step=0)
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(torch.rand(2, 1, 4, 4)).sum()
        loss.backward()
    assert {message.tensor.dtype for message in seen} == {torch.bfloat16}


def test_accumulated_gradients_are_those_of_their_own_rows() -> None:
    network, seen = model(), list[Message]()
    batches = [torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)]
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        losses = []
        for number, images in enumerate(batches):
            position.at(ROWS + 10 * number, epoch=0, step=number)
            losses.append(network(images).sum())
        torch.stack(losses).sum().backward()
    back = {m.step: m.samples.tolist() for m in seen if m.route.direction is Direction.GRADIENT}
    assert back == {0: [3, 4], 1: [13, 14]}


class TwoOutputs(nn.Module):
    """Gives features of two resolutions."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images * 2, nn.functional.avg_pool2d(images, 2) * 3]


def test_each_of_several_outputs_is_a_crossing() -> None:
    network, seen = nn.Sequential(TwoOutputs()), list[Message]()
    two = (Crossing("t1"), Crossing("t1", level=1))
    with tapped(network, {"0": two}, [seen.append]) as position:
        position.at(ROWS, epoch=0, step=0)
        first, second = network(torch.rand(2, 1, 4, 4, requires_grad=True))
        (first.sum() + second.sum()).backward()
    assert {(m.route.direction.value, m.route.level) for m in seen} == {
        ("activation", 0), ("activation", 1), ("gradient", 0), ("gradient", 1),
    }  # fmt: skip
    with (
        tapped(network, {"0": Crossing("t1")}, []),
        pytest.raises(ConfigurationError, match=r"\(Tensor, Tensor\) for 1 crossings"),
    ):
        network(torch.rand(2, 1, 4, 4))


def test_nothing_but_values_crosses() -> None:
    network, seen = nn.Sequential(nn.Identity()), list[Message]()
    named = MetaTensor(torch.rand(2, 1, 4, 4), meta={"filename_or_obj": "/data/Smith.nii"})
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        position.at(ROWS, epoch=0, step=0)
        network(named)
    assert type(seen[0].tensor) is Tensor


def test_evaluation_is_counted_and_not_shown() -> None:
    network, seen = model(), list[Message]()
    with tapped(network, {"0": Crossing("t1")}, [seen.append]) as position:
        network.eval()
        network(torch.rand(2, 1, 4, 4))
    assert (seen, position.passed_over) == ([], 1)


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
