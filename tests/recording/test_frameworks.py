"""What frameworks hand over is recorded as it crosses: calls by a decorator, messages by a Grid."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from plain_job import CROSSINGS, PlainJob, job
from torch import Tensor

from leakaudit.adapters.flower import Layout, RecordingGrid
from leakaudit.errors import ConfigurationError
from leakaudit.recording import Crossing, Recorder, Told, recorded
from leakaudit.trace.reader import TraceReader


class Site:
    """A party as a Collab job writes it."""

    def __init__(self, recorder: Recorder | None) -> None:
        self.recorder = recorder
        self.got: list[Tensor] = []

    @recorded(gives=CROSSINGS["north"], told=Told("rows", "epoch", "step", "draw"))
    def forward(self, rows: list[str], epoch: int, step: int, draw: int | None = None) -> Tensor:
        del draw
        return torch.full((len(rows), 2, 4, 4), float(epoch + step))

    @recorded(takes={"gradient": CROSSINGS["north"]}, told=Told("rows"))
    def backward(self, gradient: Tensor, rows: list[str], epoch: int, step: int) -> None:
        del rows, epoch, step
        self.got.append(gradient)


def test_a_call_is_recorded_and_keeps_its_signature(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    rows = list(plain.names)
    alone = job(recorded_at=("north",))
    with Recorder(tmp_path / "trace", plain.sheet, alone, strict=True) as recorder:
        site = Site(recorder)
        site.forward(rows, 1, step=3)
        site.backward(torch.ones(len(rows), 2, 4, 4), rows, epoch=1, step=3)
        site.forward(plain.sheet.asked[:2], 1, 0, draw=0)
        recorder.finish_epoch(1)
    reader = TraceReader(tmp_path / "trace")
    assert [route.direction.value for route in reader.routes] == ["activation", "gradient"]
    assert reader.messages(reader.routes[0], 1).unique().tolist() == [4.0]
    (answer,) = reader.answers("north", 1)
    assert answer[1].tolist() == list(plain.sheet.asked[:2])
    assert list(inspect.signature(Site.forward).parameters)[1:] == ["rows", "epoch", "step", "draw"]
    assert Site(None).forward(["nobody"], 0, 0).shape == (1, 2, 4, 4)
    with pytest.raises(ConfigurationError, match="without ids"):
        recorded(gives=CROSSINGS["north"], told=Told("ids"))(lambda rows, epoch, step: rows)


class FakeArray:
    """As Flower's Array."""

    def __init__(self, values: Tensor) -> None:
        self._values = values.numpy()

    def numpy(self) -> np.ndarray:
        return self._values


def message(node: int, arrays: dict[str, Tensor], told: dict[str, Any], *, to: bool) -> Any:
    content = SimpleNamespace(
        array_records={"arrays": {name: FakeArray(each) for name, each in arrays.items()}},
        config_records={"config": told},
    )
    ends = (
        {"dst_node_id": node, "src_node_id": 0} if to else {"dst_node_id": 0, "src_node_id": node}
    )
    return SimpleNamespace(
        content=content, metadata=SimpleNamespace(**ends), has_content=lambda: True
    )


class FakeGrid:
    """Answers every message with features."""

    def send_and_receive(self, messages: list[Any], *, timeout: float | None) -> list[Any]:
        assert timeout is None
        return [
            message(each.metadata.dst_node_id, {"features": torch.ones(2, 12)}, {}, to=False)
            for each in messages
        ]

    def get_node_ids(self) -> list[int]:
        return [7, 9]


def test_a_grid_shows_what_passes(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    rows = list(plain.names)[:2]
    layout = Layout(shapes={0: (3, 2, 2)})
    with Recorder(tmp_path / "trace", plain.sheet, job(), strict=True) as recorder:
        sites = {7: "north", 9: "south"}
        grid = RecordingGrid(FakeGrid(), recorder, layout, sites.__getitem__)
        told = {"keys": rows, "epoch": 1, "step": 0}
        asked = [message(node, {}, told, to=True) for node in grid.get_node_ids()]
        assert len(grid.send_and_receive(asked)) == 2
        back = [message(n, {"gradient": torch.ones(2, 12)}, told, to=True) for n in (7, 9)]
        grid.send_and_receive(back)
        recorder.finish_epoch(1)
    reader = TraceReader(tmp_path / "trace")
    assert {(r.sender, r.direction.value) for r in reader.routes} == {
        ("north", "activation"), ("south", "activation"),
        ("server", "gradient"),
    }  # fmt: skip
    assert reader.description.routes[0].shape == (3, 2, 2)


def test_a_message_that_does_not_say_whose_rows_it_holds_stops_the_recording(
    tmp_path: Path,
) -> None:
    plain = PlainJob(tmp_path)
    recorder = Recorder(tmp_path / "trace", plain.sheet, job())
    grid = RecordingGrid(FakeGrid(), recorder)
    with pytest.warns(UserWarning, match="no entry 'party'"):
        replies = grid.send_and_receive([message(7, {}, {}, to=True)])
    assert len(replies) == 1
    assert recorder.failure is not None


def test_calls_from_many_threads_keep_rows_and_tensors_together(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    plain = PlainJob(tmp_path)
    names = list(plain.names)

    def send(number: int) -> None:
        recorder.keep(
            {Crossing("north"): torch.full((1, 1, 2, 2), float(number))}, [names[number]],
            epoch=1, step=number,
        )  # fmt: skip

    alone = job(recorded_at=("north",))
    with Recorder(tmp_path / "trace", plain.sheet, alone, strict=True) as recorder:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(len(names))))
        recorder.finish_epoch(1)
    reader = TraceReader(tmp_path / "trace")
    read = reader.messages(reader.routes[0], 1, [plain.names[name] for name in names])
    assert read[:, 0, 0, 0].tolist() == list(range(len(names)))
