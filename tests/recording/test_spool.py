"""A client's mod keeps messages as files, and what it kept becomes a trace."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from plain_job import PlainJob, job
from torch import Tensor

from leakaudit.adapters.flower import Layout, RecordingMod
from leakaudit.cli.tracing import merged
from leakaudit.errors import TraceError
from leakaudit.exchange.message import Direction
from leakaudit.recording import Crossing
from leakaudit.recording.spool import Spool, gathered
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.remarks import remarks


class FakeArray:
    """As Flower's Array."""

    def __init__(self, values: Tensor) -> None:
        self._values = values.numpy()

    def numpy(self) -> np.ndarray:
        return self._values


def message(arrays: dict[str, Tensor], told: dict[str, Any]) -> Any:
    content = SimpleNamespace(
        array_records={"arrays": {name: FakeArray(each) for name, each in arrays.items()}},
        config_records={"config": told},
    )
    return SimpleNamespace(content=content, has_content=lambda: True)


class Client:
    """A site whose every message is handled by a mod that was made anew."""

    def __init__(self, plain: PlainJob, folder: Path, site: str) -> None:
        plain.sheet.write(folder.with_suffix(".json"))
        self._plain, self._site = plain, site
        self._mod: Callable[[], RecordingMod] = lambda: RecordingMod(
            folder, folder.with_suffix(".json"), job(run="monday"), Layout(), lambda _: site
        )
        self.sent: dict[int, Tensor] = {}

    def _encoded(self, samples: Tensor) -> Tensor:
        encoder = getattr(self._plain.network, self._site)
        images = self._plain.images(samples)[self._site == "south"]
        features: Tensor = encoder(images).detach()
        return features

    def forward(self, keys: list[Any], step: int, **more: int) -> Any:
        told = {"keys": keys, "epoch": 1, "step": step, **more}
        known = self._plain.names
        rows = torch.tensor([key if isinstance(key, int) else known.get(key, 0) for key in keys])
        features = self._encoded(rows)
        if not more:
            self.sent |= dict(zip(rows.tolist(), features, strict=True))
        return self._mod()(message({}, told), None, lambda *_: message({"features": features}, {}))

    def backward(self, keys: list[str], step: int) -> None:
        gradient = torch.full_like(self._encoded(torch.zeros(len(keys), dtype=torch.int64)), step)
        told = {"keys": keys, "epoch": 1, "step": step}

        def app(came: Any, _: Any) -> Any:
            came.content.array_records["arrays"]["gradient"].numpy().fill(7)  # after it was seen
            return message({}, {})

        self._mod()(message({"gradient": gradient}, told), None, app)


def trained(plain: PlainJob, folder: Path, site: str) -> Client:
    client, names = Client(plain, folder, site), list(plain.names)
    for step in range(3):
        keys = names[4 * step : 4 * step + 4]
        client.forward(keys, step)
        client.forward(keys, step)  # delivered twice
        client.backward(keys, step)
    for number in (0, 1):
        client.forward([each for each in plain.sheet.asked if each >= 0][:6], 0, draw=number)
    return client


def test_what_two_sites_kept_becomes_one_trace(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    sites = {site: trained(plain, tmp_path / site, site) for site in ("north", "south")}
    assert merged((tmp_path / "north", tmp_path / "south"), tmp_path / "whole") == 0
    assert not list(tmp_path.glob(".gathered-*"))
    reader = TraceReader(tmp_path / "whole")
    assert reader.complete
    assert reader.split.party_names == ("north", "south")
    assert remarks(reader) == ()  # nothing is there twice
    for route in reader.routes:
        read = reader.messages(route, 1, plain.rows)
        if route.direction is Direction.GRADIENT:
            assert read.amax() == 2  # as it came, not as the app changed it
        else:
            assert torch.equal(read, torch.stack([sites[route.sender].sent[r] for r in plain.rows]))
    assert {each.cut for each in reader.description.routes} == {"features"}
    assert len(list(reader.answers("south", 1))) == 2
    kept = next((tmp_path / "north").glob("*.safetensors"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_one_site_alone_is_a_part_of_its_own(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    trained(plain, tmp_path / "north", "north")
    assert merged((tmp_path / "north",), tmp_path / "part") == 0
    assert TraceReader(tmp_path / "part").description.recorded_at == ("north",)


def test_a_mod_that_cannot_record_passes_messages_on(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    client = Client(plain, tmp_path / "north", "north")
    names = list(plain.names)
    client.forward(names[:2], 0)
    with pytest.warns(UserWarning, match="the job goes on: .*unknown"):
        assert client.forward(["nobody"], 1).has_content()
    client.forward(names[2:4], 2)
    said = gathered(tmp_path / "north", tmp_path / "part").description.stopped
    assert "training samples of the sheet" in said


def test_a_job_that_was_killed_keeps_its_whole_epochs(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    kept = job(record={"epochs": "all"}, epochs=3)
    spool, keys = Spool(tmp_path / "spool", plain.sheet, kept), list(plain.names)[:2]
    for epoch, sites in ((0, ("north", "south")), (1, ("north",))):
        for site in sites:
            spool.keep({Crossing(site): torch.ones(2, 2, 4, 4)}, keys, epoch=epoch, step=0)
    reader = gathered(tmp_path / "spool", tmp_path / "trace")
    assert reader.epochs == (0,)
    assert not reader.complete
    assert "nothing of south in epoch 1" in reader.description.stopped


def test_damage_and_strangers_are_refused(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    with pytest.raises(TraceError, match=r"spool.json"):
        gathered(tmp_path, tmp_path / "trace")
    spool = Spool(tmp_path / "spool", plain.sheet, job())
    with pytest.raises(TraceError, match="must hold messages"):
        gathered(tmp_path / "spool", tmp_path / "trace")
    with pytest.raises(TraceError, match="those of another"):
        Spool(tmp_path / "spool", plain.sheet, job(epochs=9))
    with pytest.warns(UserWarning, match="of a site of the job"):
        spool.keep({Crossing("west"): torch.ones(1, 2, 4, 4)}, [*plain.names][:1], epoch=1, step=0)
    (tmp_path / "spool" / "00001-t-00000000-0-ab.safetensors").write_bytes(b"\x08" + b"\0" * 40)
    with pytest.raises(TraceError, match="whole messages"):
        gathered(tmp_path / "spool", tmp_path / "trace")
