"""Several processes record one run, each its own part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from plain_job import CROSSINGS, PlainJob, job

from leakaudit.errors import TraceError
from leakaudit.recording import Crossing, Recorder
from leakaudit.trace.parts import merge
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.remarks import remarks


def part(
    plain: PlainJob, folder: Path, *sites: str, server: bool = False, shift: int = 0,
    noise: float = 0.0, ask: bool = True, steps: int = 3, **changes: Any,
) -> Path:  # fmt: skip
    """What one process sees of the run: a site what it sends, a server what arrives of all."""
    names = list(plain.names)
    about = {"recorded_at": None if server else sites, "run": "monday"} | changes
    with Recorder(folder, plain.sheet, job(**about), strict=True) as recorder, torch.no_grad():
        for step, some in enumerate(torch.arange(len(names)).split(4)[:steps]):
            keys = [names[each] for each in some.tolist()]
            images = plain.images(torch.tensor([plain.names[key] for key in keys]))
            recorder.at(keys, epoch=1, step=step)
            for site in sites:
                sent = features(plain, site, images)
                sent = torch.roll(sent, shift if site == sites[0] else 0, 0)
                recorder.activation(CROSSINGS[site], sent + noise * torch.randn_like(sent))
        for question in recorder.questions(1) if ask else ():
            images = plain.images(question.samples)
            with recorder.asking(question):
                for site in sites:
                    recorder.activation(CROSSINGS[site], features(plain, site, images))
        recorder.finish_epoch(1)
    return folder


def features(plain: PlainJob, site: str, images: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    if site == "north":
        return plain.network.north(images[0])
    return plain.network.south(images[1])


@pytest.fixture
def plain(tmp_path: Path) -> PlainJob:
    return PlainJob(tmp_path)


def test_two_sites_are_joined(plain: PlainJob, tmp_path: Path) -> None:
    parts = [part(plain, tmp_path / site, site) for site in ("north", "south")]
    joined = merge(parts, tmp_path / "whole")
    assert (joined.epochs, joined.both_ends) == ((1,), 0)
    reader = TraceReader(tmp_path / "whole")
    assert reader.split.party_names == ("north", "south")
    assert reader.complete
    assert reader.asked
    for name, path in zip(("north", "south"), parts, strict=True):
        alone = TraceReader(path)
        assert torch.equal(alone.messages(alone.routes[0], 1), reader.messages(alone.routes[0], 1))
        assert len(list(alone.answers(name, 1))) == len(list(reader.answers(name, 1)))
    assert remarks(reader) == ()


def test_what_arrived_stands_where_both_ends_were_recorded(plain: PlainJob, tmp_path: Path) -> None:
    north = part(plain, tmp_path / "north", "north")
    server = part(plain, tmp_path / "server", "north", "south", server=True, ask=False, noise=0.5)
    joined = merge([north, server], tmp_path / "whole")
    assert joined.both_ends == 1
    assert joined.changed == ("activation from north to server, cut 0",)
    reader, arrived = TraceReader(tmp_path / "whole"), TraceReader(server)
    assert torch.equal(reader.messages(reader.routes[0], 1), arrived.messages(arrived.routes[0], 1))
    assert list(reader.answers("north", 1))


def test_rows_that_are_shifted_against_each_other_are_noticed(
    plain: PlainJob, tmp_path: Path
) -> None:
    north = part(plain, tmp_path / "north", "north")
    server = part(plain, tmp_path / "server", "north", "south", server=True, shift=1)
    with pytest.raises(TraceError, match="rows are shifted against each other"):
        merge([north, server], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_parts_that_do_not_belong_together(plain: PlainJob, tmp_path: Path) -> None:
    north = part(plain, tmp_path / "north", "north")
    again = part(plain, tmp_path / "again", "north")
    other = part(plain, tmp_path / "other", "south", run="tuesday")
    fewer = part(plain, tmp_path / "fewer", "south", steps=2)
    longer = part(plain, tmp_path / "longer", "south", epochs=3, record={"epochs": (1,)})
    for wrong, said in (
        (again, "same end of a route"),
        (other, "'monday'.*'tuesday'"),
        (fewer, "same samples in the same rows of a step"),
        (longer, "same epochs to train"),
    ):
        with pytest.raises(TraceError, match=said):
            merge([north, wrong], tmp_path / f"whole of {wrong.name}")
    with pytest.raises(TraceError, match="two or more parts"):
        merge([north], tmp_path / "whole")


def test_an_epoch_that_one_site_lacks_is_left_out(plain: PlainJob, tmp_path: Path) -> None:
    def two(folder: Path, site: str, epochs: int) -> Path:
        recorder = Recorder(
            folder, plain.sheet, job(recorded_at=(site,), record={"epochs": "all"}), strict=True
        )
        for epoch in range(epochs):
            recorder.at(list(plain.names), epoch=epoch, step=0)
            recorder.activation(Crossing(site), torch.rand(len(plain.names), 2, 4, 4))
            recorder.finish_epoch(epoch)
        recorder._writer.abandon("killed") if epochs == 1 else recorder.close()
        return folder

    joined = merge(
        [two(tmp_path / "north", "north", 2), two(tmp_path / "south", "south", 1)],
        tmp_path / "whole",
    )
    assert (joined.epochs, joined.left_out) == ((0,), (1,))
    assert "killed" in remarks(TraceReader(tmp_path / "whole"))[0]
