"""A trace calls cuts by name, in every schema version and whoever recorded it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Cut, Direction, Route
from leakaudit.exchange.taps import Crossing, tapped
from leakaudit.plugins import Use
from leakaudit.split import SERVER, SplitSpec
from leakaudit.split.spec import OWN
from leakaudit.trace import TraceDescription, TracedSample
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.writer import TraceWriter

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = torch.arange(2)


def edited(folder: Path, version: str, **changes: Any) -> Path:
    shutil.copytree(GOLDEN / version, folder)
    raw = json.loads((folder / "trace.json").read_text("utf-8"))
    (folder / "trace.json").write_text(json.dumps(raw | changes), "utf-8")
    return folder


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_routes_of_split_u_net_are_called_by_their_levels(version: str) -> None:
    routes = TraceReader(GOLDEN / version).description.routes
    assert {(each.cut, each.number, each.at_head) for each in routes} == {
        ("level 0", 0, False), ("level 1", 1, False),
    }  # fmt: skip


def test_a_former_description_takes_the_names_of_its_own_split(tmp_path: Path) -> None:
    raw = json.loads((GOLDEN / "1.0" / "trace.json").read_text("utf-8"))
    party = raw["split"]["parties"][0]["name"]
    cut = {"shapes": [[2, 8, 8]] * len(raw["split"]["parties"])}
    split = raw["split"] | {
        "model": {"use": "cut"}, "cuts": [{"name": "a", **cut}, {"name": "b", **cut}],
        "labels_at": party,
    }  # fmt: skip
    head = {**raw["routes"][0], "sender": SERVER, "receiver": party, "cut": "head", "level": 0}
    routes = [*raw["routes"], {**head, "direction": "activation"}]
    reader = TraceReader(edited(tmp_path / "t", "1.0", split=split, routes=routes))
    found = {(each.cut, each.number, each.at_head) for each in reader.description.routes}
    assert found == {("a", 0, False), ("b", 1, False), ("head", 0, True)}
    assert Route(SERVER, party, Direction.ACTIVATION, Cut.HEAD, 0) in reader.routes


@pytest.mark.parametrize("level", [-1, 99, "0", None, 1.5])
def test_a_damaged_former_route_is_one_message(level: Any, tmp_path: Path) -> None:
    raw = json.loads((GOLDEN / "1.0" / "trace.json").read_text("utf-8"))
    cuts = [{"name": "a", "shapes": [[2, 8, 8]] * len(raw["split"]["parties"])}]
    split = raw["split"] | {"model": {"use": "cut"}, "cuts": cuts}
    routes = [raw["routes"][0] | {"level": level}]
    with pytest.raises(TraceError, match="breaks its schema at routes"):
        TraceReader(edited(tmp_path / "t", "1.0", split=split, routes=routes))


class Site(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 3, 3, 2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.deep(self.stem(images).relu())


def recorded(folder: Path, **named: dict[str, Crossing]) -> TraceReader:
    """A job of its own: each party's model, tapped as told."""
    split = SplitSpec.model_validate(
        {"parties": [{"name": name, "modalities": ["T1"]} for name in named],
         "model": Use(use=OWN)}
    )  # fmt: skip
    description = TraceDescription(
        network="own", split=split, regions=("WT",), space=(8, 8), seed=0,
        cohort_fingerprint="0" * 64, epochs_trained=1, epochs_recorded=(0,),
        samples=tuple(TracedSample(sample=n, patient=f"P{n}") for n in range(2)),
    )  # fmt: skip
    with TraceWriter(folder, description) as writer:
        for crossings in named.values():
            model = Site()
            with tapped(model, crossings, [writer]) as position:
                position.at(SAMPLES, epoch=0, step=0)
                model(torch.rand(2, 1, 8, 8)).mean().backward()
        writer.finish_epoch(0)
    return TraceReader(folder)


def names(reader: TraceReader) -> list[str]:
    assert reader.split.cuts is not None
    return [cut.name for cut in reader.split.cuts]


def test_a_job_calls_its_cuts_by_what_is_tapped_or_as_it_says(tmp_path: Path) -> None:
    def site(party: str, deep: str = "") -> dict[str, Crossing]:
        return {"stem": Crossing(party, 0), "deep": Crossing(party, 1, name=deep)}

    assert names(recorded(tmp_path / "a", a=site("a"), b=site("b"))) == ["stem", "deep"]
    assert names(recorded(tmp_path / "b", a=site("a", "features"))) == ["stem", "features"]
    # Parties that do not agree, and two cuts of one name, have numbers instead.
    two = recorded(tmp_path / "c", a=site("a", "x"), b=site("b", "y"))
    assert names(two) == ["stem", "cut 1"]
    assert names(recorded(tmp_path / "d", a=site("a", "stem"))) == ["cut 0", "cut 1"]
