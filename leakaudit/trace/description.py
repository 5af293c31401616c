"""What stands in a trace's JSON: the description of the run, and the log of its shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from leakaudit.errors import TraceError
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.trace.former import upgraded
from leakaudit.trace.modes import private_file
from leakaudit.trace.regular import read_bytes

SCHEMA_VERSION = "2.0"
"""2.0: a route's `cut` is the name of the cut, and `number` its place; they were `level`, and
whether it is an encoder's cut or a head's; `filters`. Traces of 1.0 are read."""
DESCRIPTION_FILE = "trace.json"
LOG_FILE = "shards.jsonl"


# A number of an epoch or a sample: a whole one (JSON's -0.0 is none), and one that fits an index.
_Count = Annotated[int, Field(strict=True, ge=0, lt=1 << 31)]
_MOST_AXES = 4  # channels and three axes of space
Stood = Literal["behind it", "before it", "past it"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AppliedDefense(_Part):
    """One defense of the stack, as given."""

    name: str = Field(description="registered name")
    settings: dict[str, Any] = Field(default_factory=dict, description="settings as given")


class ConfiguredFilter(_Part):
    """One filter or mod that a site's framework was configured with."""

    site: str = Field(max_length=200, description="whose")
    name: str = Field(max_length=500, description="as the framework calls it")
    settings: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="as configured, in the framework's own names"
    )
    recorded: Stood = Field(
        description="what the trace holds: `behind it`, what it let through; `before it`, what it "
        "was still to change; `past it`, what never comes to it"
    )


class TracedSample(_Part):
    """One training sample and the patient that owns it."""

    sample: _Count = Field(description="index into the cohort")
    patient: str = Field(description="pseudonym of the patient")
    party: str | None = Field(
        default=None, description="who holds it in a horizontal split; null: every party"
    )


class RecordedRoute(_Part):
    """One kind of message: who sends what to whom, and what it looks like."""

    sender: str = Field(description="party name or `server`")
    receiver: str = Field(description="party name or `server`")
    direction: Literal["activation", "gradient"] = Field(description="forward or backward")
    cut: str = Field(
        min_length=1, description="its name; `head` before a label holder's last layers"
    )
    number: NonNegativeInt = Field(
        description="of the cut: of split-u-net the level, of other networks its place among them, "
        "shallow first; 0 at the head"
    )
    shape: tuple[PositiveInt, ...] = Field(
        max_length=_MOST_AXES, description="(channels, *space) of one sample"
    )
    dtype: Literal[
        "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
        "bool",
    ] = Field(description="as it crossed, such as float32")  # fmt: skip

    @property
    def at_head(self) -> bool:
        """Whether it crosses to a label holder's last layers or back, not from an encoder."""
        return (self.direction == "activation") == (self.sender == SERVER)


class TraceDescription(_Part):
    """The run a trace was recorded from: `trace.json`."""

    schema_version: str = Field(default=SCHEMA_VERSION, description="of this description")
    written_by: str = Field(
        default_factory=lambda: f"leakaudit {version('leakaudit')}",
        description="program and version that recorded the trace",
    )
    network: Literal["split-u-net", "own"] = Field(
        default="split-u-net",
        description="`own`: a model that trains elsewhere; it cannot be rebuilt from snapshots",
    )
    split: SplitSpec = Field(description="the split as given, before defenses reshape it")
    regions: tuple[str, ...] = Field(description="label regions, in channel order")
    space: tuple[PositiveInt, ...] = Field(description="size of the images in voxels")
    defenses: tuple[AppliedDefense, ...] = Field(
        default=(), description="what was on, in stacking order"
    )
    filters: tuple[ConfiguredFilter, ...] | None = Field(
        default=None,
        description="what the framework was configured with; null: nobody said, empty: none",
    )
    seed: int = Field(ge=0, lt=1 << 62, description="seed of initial weights and secret keys")
    cohort_fingerprint: str = Field(description="SHA-256 of the cohort the samples index into")
    training: dict[str, Any] = Field(default_factory=dict, description="training settings")
    epochs_trained: PositiveInt = Field(description="epochs the run was to train")
    epochs_recorded: tuple[_Count, ...] = Field(
        min_length=1, description="epochs the run was to record, rising, counted from 0"
    )
    samples: tuple[TracedSample, ...] = Field(
        min_length=1, description="the training samples and their patients"
    )
    routes: tuple[RecordedRoute, ...] = Field(
        default=(), description="filled as seen; a tensor's name gives the position in this list"
    )
    complete: bool = Field(default=False, description="false: the run was cut off or still runs")
    run: str = Field(
        default="", max_length=200, description="names the run that parts recorded apart are of"
    )
    recorded_at: tuple[str, ...] | None = Field(
        default=None, description="parties whose messages were to be recorded; null: all"
    )
    stopped: str = Field(
        default="", max_length=2000, description="why recording ended before the run; empty: not so"
    )
    counts: dict[str, NonNegativeInt] = Field(
        default_factory=dict,
        description="what a recorder passed over or noticed, such as `evaluation passes`",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        indices = [entry.sample for entry in self.samples]
        if len(set(indices)) != len(indices):
            raise ValueError("a sample is listed twice")
        rising = sorted(set(self.epochs_recorded))
        if list(self.epochs_recorded) != rising or rising[-1] >= self.epochs_trained:
            raise ValueError("epochs_recorded must rise and stay below epochs_trained")
        if len(self.space) != self.split.dimensions:
            raise ValueError(
                f"space names {len(self.space)} sides, the split has {self.split.dimensions}"
            )
        return self


class LogEntry(_Part):
    """One line of `shards.jsonl`: a file that is whole, or an epoch that is."""

    kind: Literal["messages", "queries", "updates", "snapshot", "epoch"] = Field(
        description="`queries`: what a job answered when it was asked; `epoch`: everything of that "
        "epoch is recorded"
    )
    epoch: _Count = Field(description="epoch of training, from 0")
    file: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$",
        max_length=200,
        description="name of a file in the trace's own folder; null for kind `epoch`",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="of the whole file, hexadecimal"
    )
    bytes: NonNegativeInt = Field(default=0, description="size of the file")

    @model_validator(mode="after")
    def _names_its_file(self) -> Self:
        named = self.file is not None and self.sha256 is not None
        if named == (self.kind == "epoch"):
            raise ValueError("a file is named with its SHA-256, and an epoch names none")
        return self


def write_description(folder: Path, description: TraceDescription) -> None:
    """Write `trace.json`, whole or not at all."""
    partial = folder / f".{DESCRIPTION_FILE}.partial"
    with open(partial, "w", encoding="utf-8", opener=private_file) as stream:
        stream.write(canonical(description))
    partial.replace(folder / DESCRIPTION_FILE)


def canonical(description: TraceDescription) -> str:
    """JSON with sorted keys and no NaN: the same value, the same bytes."""
    value = description.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)


def read_description(folder: Path) -> TraceDescription:
    """Load and check `trace.json`.

    Raises:
        TraceError: missing, damaged, or of another schema version.
    """
    file = folder / DESCRIPTION_FILE
    try:
        raw = json.loads(read_bytes(file).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise TraceError(
            f"a trace is a folder that holds {DESCRIPTION_FILE}",
            found=str(folder),
            remedy="name the folder that `leakaudit run` or a TraceWriter wrote",
        ) from None
    except (ValueError, RecursionError) as problem:
        raise TraceError(
            f"{DESCRIPTION_FILE} must be whole JSON ({problem})",
            found=str(file),
            remedy="the file was damaged; record the trace again",
        ) from None
    found = str(raw.get("schema_version", "")) if isinstance(raw, dict) else ""
    if found.partition(".")[0] not in ("1", SCHEMA_VERSION.partition(".")[0]):
        raise TraceError(
            f"this version reads traces of schema 1.0 to {SCHEMA_VERSION}",
            found=f"{found or 'no schema_version'} in {file}",
            remedy="use the leakaudit that wrote it, or record the trace again",
        )
    try:
        return TraceDescription.model_validate(upgraded(raw))
    except ValidationError as problem:
        first = problem.errors()[0]
        raise TraceError(
            f"{file} breaks its schema at {'.'.join(map(str, first['loc']))}: {first['msg']}",
            found=repr(first["input"])[:200],
            remedy="the file was edited or damaged; record the trace again",
        ) from None


def read_log(folder: Path) -> tuple[LogEntry, ...]:
    """The shards that are whole, in the order they were written.

    A last line without its line feed is a write that was cut off: it is ignored.

    Raises:
        TraceError: a line before the last is damaged.
    """
    file = folder / LOG_FILE
    if not file.exists() and not file.is_symlink():
        return ()
    whole, _, _ = read_bytes(file).rpartition(b"\n")
    entries = []
    for number, line in enumerate(whole.split(b"\n") if whole else (), start=1):
        try:
            entries.append(LogEntry.model_validate_json(line))
        except ValidationError as problem:
            raise TraceError(
                f"line {number} of {LOG_FILE} is not a log entry: {problem.errors()[0]['msg']}",
                found=repr(line[:120]),
                remedy="the file was edited or damaged; restore it or record the trace again",
            ) from None
    return tuple(entries)


def content_sha256(description: TraceDescription, log: Iterable[LogEntry]) -> str:
    """One digest of everything recorded: the same run, the same digest."""
    digest = hashlib.sha256(canonical(description).encode())
    for entry in log:
        digest.update(f"\n{entry.kind} {entry.epoch} {entry.file} {entry.sha256}".encode())
    return digest.hexdigest()
