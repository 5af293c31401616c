"""What short-lived processes saw cross, a file per message, until it is gathered into a trace.

A process that handles one message and ends can keep no writer open. Each message is a safetensors
file of its own, whole or not at all; :func:`gathered` turns the folder into a trace, or a part.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from leakaudit.errors import ConfigurationError, LeakauditError, TraceError
from leakaudit.exchange.message import Direction, Message
from leakaudit.exchange.taps import Crossing
from leakaudit.recording.job import Job
from leakaudit.recording.sheet import Key, SampleSheet
from leakaudit.trace.modes import owner_only, private_file
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.refusals import in_words
from leakaudit.trace.regular import read_bytes
from leakaudit.trace.writer import TraceWriter

HEADER_FILE = "spool.json"
_STOPPED_FILE = "stopped.txt"
_SUFFIX = ".safetensors"


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = "1.0"
    job: Job
    sheet: SampleSheet


class _Spooled(BaseModel):
    """What a file says beside its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: NonNegativeInt
    step: NonNegativeInt
    draw: NonNegativeInt | None = None
    gradient: bool = False
    crossings: tuple[tuple[str, NonNegativeInt, str], ...] = Field(
        min_length=1, description="party, level and name of each tensor"
    )


class Spool:
    """Keeps messages of a job in a folder that several processes may write into.

    It takes what :meth:`~.recorder.Recorder.keep` takes, of recorded epochs; the same message
    sent again takes the place of the first. What cannot be kept ends the recording, not the job.

    Args:
        folder: made where absent.
        sheet: says which row is which sample.
        job: says who takes part.

    Attributes:
        failure: why recording stopped in this process; None while it goes on.
    """

    def __init__(self, folder: Path | str, sheet: SampleSheet, job: Job) -> None:
        self._folder, self._sheet = Path(folder), sheet
        self._parties = tuple(job.parties)
        self._recorded = frozenset(job.described(sheet).epochs_recorded)
        self.failure: LeakauditError | None = None
        header = _Header(job=job, sheet=sheet).model_dump_json().encode()
        with owner_only():
            self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / HEADER_FILE
        if not file.exists():
            self._write(HEADER_FILE, header)
        elif read_bytes(file) != header:
            raise TraceError(
                "messages of one job with one sheet go into a spool",
                found=f"those of another in {self._folder}",
                remedy="name another folder, or empty it",
            )

    def keep(
        self,
        sent: Mapping[Crossing, Tensor],
        keys: Iterable[Key] | Tensor,
        *,
        epoch: int,
        step: int,
        draw: int | None = None,
        gradient: bool = False,
    ) -> None:
        """Keep what crosses at once.

        Args:
            sent: what each tensor stands for; each crossing names its party.
            keys: what the job calls the rows; of an answer, indices into the cohort, -1 a blank.
            epoch: epoch of training, from 0.
            step: step within the epoch.
            draw: number of the answer, where the job was asked; None: it trains.
            gradient: whether it goes back to a site.
        """
        if self.failure is not None or epoch not in self._recorded:
            return
        try:
            if draw is None:
                samples = self._sheet.samples_of(keys)
            else:
                samples = torch.as_tensor(keys if isinstance(keys, Tensor) else list(keys)).long()
            self._keep(sent, samples, _Spooled(
                epoch=epoch, step=step, draw=draw, gradient=gradient,
                crossings=tuple((each.party, each.level, each.name) for each in sent),
            ))  # fmt: skip
        except LeakauditError as problem:
            self.fail(problem)
        except OSError as problem:
            self.fail(
                TraceError(
                    "a spool must be writable while the job runs",
                    found=f"{self._folder}: {problem}",
                    remedy="free the disk, or name another folder",
                )
            )

    def fail(self, problem: LeakauditError) -> None:
        """Stop recording; what was kept stays, and says why there is no more."""
        self.failure = problem
        # The disk that refused a message may refuse this, too.
        with suppress(OSError):
            self._write(_STOPPED_FILE, in_words(problem).encode())
        warnings.warn(f"recording stopped, the job goes on: {problem}", stacklevel=3)

    def _keep(self, sent: Mapping[Crossing, Tensor], samples: Tensor, about: _Spooled) -> None:
        strange = {each.party for each in sent} - set(self._parties)
        if strange:
            raise ConfigurationError(
                "a message must be of a site of the job",
                found=f"{min(strange)!r}",
                remedy=f"sites: {', '.join(self._parties)}",
            )
        tensors = {
            str(place): crossing.unfolded(tensor).contiguous()
            for place, (crossing, tensor) in enumerate(sent.items())
        }
        said = about.model_dump_json()
        known = hashlib.sha256(said.encode() + json.dumps(samples.tolist()).encode()).hexdigest()
        # Sorted by name they are in the order they crossed: gradients behind, answers last. A
        # training message that is delivered again replaces the first; the same may be asked again.
        kind, moment = ("t", 0) if about.draw is None else ("q", time.time_ns())
        name = f"{about.epoch:05d}-{kind}-{about.step:08d}-{int(about.gradient)}-{moment:020d}"
        content = save(tensors | {"samples": samples}, {"about": said})
        self._write(f"{name}-{known[:16]}{_SUFFIX}", content)

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, whoever else writes the same."""
        partial = self._folder / f".{name}.{os.getpid()}.partial"
        with open(partial, "wb", opener=private_file) as stream:
            stream.write(content)
        partial.replace(self._folder / name)


def is_spool(folder: Path) -> bool:
    """Whether a folder holds messages that are to be gathered."""
    return (folder / HEADER_FILE).exists()


def gathered(folder: Path, out: Path) -> TraceReader:
    """The trace of what was kept: the part of the sites whose messages are there.

    An epoch that the job did not finish is left out, and the trace says so.

    Args:
        folder: of the spool, once the job has ended.
        out: folder of the trace; made where absent.

    Raises:
        TraceError: no spool, nothing in it, a damaged file, or no epoch that every site finished.
    """
    header = _header(folder)
    files = sorted(each for each in folder.glob(f"*{_SUFFIX}") if not each.name.startswith("."))
    kept = [(file, _read(file)[0]) for file in files]
    if not kept:
        raise TraceError(
            "a spool must hold messages", found=f"none in {folder}", remedy="run the job first"
        )
    parties = {party for _, about in kept for party, _, _ in about.crossings}
    named = tuple(name for name in header.job.parties if name in parties)
    whole = named == tuple(header.job.parties)
    job = header.job.model_copy(update={"recorded_at": None if whole else named})
    writer = TraceWriter(out, job.described(header.sheet))
    sealed: set[int] = set()
    stopped = _stopped(folder)
    with writer:
        for epoch, some in groupby(kept, key=lambda each: each[1].epoch):
            try:
                for file, about in some:
                    for message in _messages(*_read(file)):
                        (writer if about.draw is None else writer.answer)(message)
                writer.finish_epoch(epoch)
            except TraceError as problem:
                if not sealed:
                    raise
                stopped = stopped or in_words(problem)
                break
            sealed.add(epoch)
        missing = sorted(set(job.described(header.sheet).epochs_recorded) - sealed)
        if missing and not stopped:
            stopped = f"the job sent nothing in epoch {missing[0]}"
        if stopped:
            writer.abandon(stopped)
    return TraceReader(out)


def _header(folder: Path) -> _Header:
    try:
        return _Header.model_validate_json(read_bytes(folder / HEADER_FILE))
    except (OSError, ValidationError) as problem:
        raise TraceError(
            f"a spool is a folder with a {HEADER_FILE}",
            found=f"{folder}: {str(problem).splitlines()[0]}",
            remedy="name the folder that the job's recorder was given",
        ) from None


def _stopped(folder: Path) -> str:
    try:
        return read_bytes(folder / _STOPPED_FILE).decode(errors="replace")[:2000]
    except OSError:
        return ""


def _read(file: Path) -> tuple[_Spooled, dict[str, Tensor]]:
    try:
        content = read_bytes(file)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        about = _Spooled.model_validate_json(header["__metadata__"]["about"])
        tensors = load(content)
        wanted = {"samples", *map(str, range(len(about.crossings)))}
        if set(tensors) != wanted or tensors["samples"].dtype != torch.int64:
            raise ValueError("other tensors than it tells of")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as problem:
        raise TraceError(
            "a spool holds whole messages",
            found=f"{file}: {str(problem).splitlines()[0]}",
            remedy="take the damaged file out: its rows are then told as missing",
        ) from None
    return about, tensors


def _messages(about: _Spooled, tensors: Mapping[str, Tensor]) -> Iterator[Message]:
    direction = Direction.GRADIENT if about.gradient else Direction.ACTIVATION
    for place, (party, level, name) in enumerate(about.crossings):
        route = Crossing(party, level, name=name).route(direction)
        step = about.step if about.draw is None else about.draw
        yield Message(route, tensors[str(place)], tensors["samples"], about.epoch, step)
