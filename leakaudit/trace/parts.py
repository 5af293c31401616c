"""Parts that several processes recorded of one run, joined into one trace.

Every site's recorder writes what it sends and gets, the server's what arrives and leaves. Where
both ends of a message were recorded, they are held against each other, and what arrived is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Route
from leakaudit.trace.alignment import misplaced
from leakaudit.trace.description import SCHEMA_VERSION, TraceDescription
from leakaudit.trace.places import widened
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.writer import TraceWriter

# What every part must say alike, and what it is called.
_SAME = {
    "run": "run",
    "cohort_fingerprint": "cohort",
    "epochs_trained": "epochs to train",
    "samples": "training samples",
    "space": "size of images",
    "regions": "regions",
    "split": "split",
    "network": "network",
    "seed": "seed",
    "defenses": "defenses",
}


@dataclass(frozen=True)
class Joined:
    """What came of joining parts.

    Attributes:
        epochs: that every part holds whole.
        left_out: epochs that only some parts hold whole.
        both_ends: routes that were recorded at both ends.
        changed: those of them on which something else arrived than was sent: a filter or noise
            stands between the two recorders.
    """

    epochs: tuple[int, ...]
    left_out: tuple[int, ...]
    both_ends: int
    changed: tuple[str, ...]


def merge(parts: Sequence[Path], out: Path) -> Joined:
    """Join the parts of one run.

    Args:
        parts: folders, one per recorder; of a route that two of them recorded, the server's stands.
        out: folder of the trace; made where absent.

    Raises:
        TraceError: parts of different runs, two recorders at one end, no epoch in common, other
            samples in some step at one site than at another, or rows that are shifted.
    """
    readers = [TraceReader(part) for part in parts]
    _check_together(readers, parts)
    epochs = sorted(set.intersection(*(set(reader.epochs) for reader in readers)))
    if not epochs:
        raise TraceError(
            "the parts of a trace must have a whole epoch in common",
            found="; ".join(f"{p}: {', '.join(map(str, r.epochs))}"
                            for p, r in zip(parts, readers, strict=True)),
            remedy="record the same epochs at every site",
        )  # fmt: skip
    owners, both = _owners(readers, parts)
    changed = {
        _named(route)
        for route, ends in both.items()
        for epoch in epochs
        if not _same_at_both_ends(route, epoch, *ends)
    }
    given = _described(readers, epochs)
    with TraceWriter(out, given) as writer:
        for epoch in epochs:
            for reader in readers:
                for message in reader.replay(epoch=epoch):
                    if owners[message.route] is reader:
                        writer(message)
                for message in reader.replay("queries", epoch):
                    # A server's recorder that was not told of queries leaves them to the sites'.
                    owner = owners[message.route]
                    if owner is reader or not owner.asked:
                        writer.answer(message)
            writer.finish_epoch(epoch)
    every = {epoch for reader in readers for epoch in reader.epochs}
    return Joined(
        tuple(epochs), tuple(sorted(every - set(epochs))), len(both), tuple(sorted(changed))
    )


def _check_together(readers: Sequence[TraceReader], parts: Sequence[Path]) -> None:
    if len(readers) < 2:
        raise TraceError(
            "merge joins two or more parts", found=len(readers), remedy="name every site's folder"
        )
    first = readers[0].description
    for reader, part in zip(readers[1:], parts[1:], strict=True):
        for name, called in _SAME.items():
            ours, theirs = getattr(first, name), getattr(reader.description, name)
            if ours != theirs:
                raise TraceError(
                    f"the parts of a trace must be of one run, with the same {called}",
                    found=f"{_short(ours)} in {parts[0]}, {_short(theirs)} in {part}",
                    remedy="name the parts that were recorded of the same run",
                )


def _owners(
    readers: Sequence[TraceReader], parts: Sequence[Path]
) -> tuple[dict[Route, TraceReader], dict[Route, tuple[TraceReader, TraceReader]]]:
    """Whose recording of a route stands, and those that were recorded at both ends."""
    seen: dict[Route, list[tuple[TraceReader, Path]]] = defaultdict(list)
    for reader, part in zip(readers, parts, strict=True):
        for route in reader.routes:
            seen[route].append((reader, part))
    owners, both = {}, {}
    for route, some in seen.items():
        ends = {_end(reader): reader for reader, _ in some}
        if len(some) != len(ends):
            raise TraceError(
                "no two recorders may stand at the same end of a route",
                found=f"{_named(route)} in {' and '.join(str(part) for _, part in some)}",
                remedy="leave one of them out",
            )
        owners[route] = ends.get(True, some[0][0])
        if len(ends) == 2:
            both[route] = (ends[False], ends[True])
    return owners, both


def _end(reader: TraceReader) -> bool:
    """Whether it stands at the server: it sees several parties, or says so."""
    at = reader.description.recorded_at
    return at is None or len(at) != 1


def _same_at_both_ends(route: Route, epoch: int, site: TraceReader, server: TraceReader) -> bool:
    """Whether what arrived is what was sent.

    Raises:
        TraceError: rows stand in each other's places.
    """
    sent, arrived = (
        {
            sample: widened(row)
            for message in reader.replay(epoch=epoch)
            if message.route == route
            for sample, row in zip(message.samples.tolist(), message.tensor, strict=True)
        }
        for reader in (site, server)
    )
    both = [sample for sample in sent if sample in arrived]
    if sorted(sent) != sorted(arrived):
        raise TraceError(
            "both ends of a route must have the same samples",
            found=f"{len(set(sent) ^ set(arrived))} samples at one end alone, {_named(route)}, "
            f"epoch {epoch}",
            remedy="align the sites by the ids of their samples, and record again",
        )
    first = torch.stack([sent[sample] for sample in both])
    second = torch.stack([arrived[sample] for sample in both])
    if first.shape == second.shape and _close(first, second):
        return True
    if first.shape != second.shape:
        return False
    wrong = misplaced(second, first)
    if len(wrong) > len(both) / 2:
        row, other = wrong[0]
        raise TraceError(
            "the rows at both ends of a message must be of the same samples",
            found=f"{len(wrong)} of {len(both)} rows, such as that of sample {both[row]}, which "
            f"is what was sent for sample {both[other]}: {_named(route)}, epoch {epoch}",
            remedy="rows are shifted against each other: align the sites by ids, and record again",
        )
    return False


def _close(first: Tensor, second: Tensor) -> bool:
    """Equal but for half precision on the way."""
    scale = float(first.abs().max()) or 1.0
    return bool(((first - second).abs() <= 1e-2 * scale).all())


def _described(readers: Sequence[TraceReader], epochs: Sequence[int]) -> TraceDescription:
    """The run's description; what the parts tell of is told by the whole."""
    first = readers[0].description
    seen: list[str] = []
    counts: dict[str, int] = defaultdict(int)
    training: dict[str, object] = {}
    said = [r.description.filters for r in readers if r.description.filters is not None]
    for reader in readers:
        at = reader.description.recorded_at
        seen += first.split.party_names if at is None else at
        training |= reader.description.training
        for what, count in reader.description.counts.items():
            counts[what] += count
    whole = {epoch for reader in readers for epoch in reader.description.epochs_recorded}
    names = tuple(name for name in first.split.party_names if name in seen)
    return first.model_copy(
        update={
            "schema_version": SCHEMA_VERSION,
            "routes": (),
            "recorded_at": None if names == first.split.party_names else names,
            "epochs_recorded": tuple(epochs),
            "complete": False,
            "counts": dict(counts),
            "training": training,
            "filters": tuple(each for some in said for each in some) if said else None,
            "stopped": "; ".join(
                dict.fromkeys(r.description.stopped for r in readers if r.description.stopped)
            )
            or ("" if whole == set(epochs) else "some site recorded fewer epochs than another"),
        }
    )


def _named(route: Route) -> str:
    return f"{route.direction} from {route.sender} to {route.receiver}, {route.name or route.level}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
