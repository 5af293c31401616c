"""What a reader of an audit must know of the trace behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from leakaudit.split.spec import SERVER
from leakaudit.trace.reader import TraceReader


def remarks(reader: TraceReader) -> tuple[str, ...]:
    """Sentences: what of the job was not recorded, and what was out of the ordinary."""
    own = () if reader.can_be_rebuilt else (*_of_samples(reader), *_of_sites(reader))
    return (*_of_epochs(reader), *own)


def _of_epochs(reader: TraceReader) -> Iterator[str]:
    given = reader.description
    if reader.complete and not given.stopped:
        return
    missing = len(set(given.epochs_recorded) - set(reader.epochs))
    why = f": {given.stopped}" if given.stopped else ""
    more = f", and nothing of {missing} more epochs that were to be recorded" if missing else ""
    yield (
        f"the trace was cut off{why}; recorded whole: epoch "
        f"{', '.join(map(str, reader.epochs))}{more}: what others would leak was not attacked"
    )


def _of_samples(reader: TraceReader) -> Iterator[str]:
    absent = len(reader.samples) - len(reader.steady)
    if absent:
        yield (
            f"{absent} of {len(reader.samples)} training samples did not cross in every recorded "
            "epoch: they were not attacked"
        )
    again = {each for epoch in reader.epochs for each in _more_than_once(reader, epoch)}
    if again:
        yield (
            f"{len(again)} training samples crossed more than once in an epoch: the last crossing "
            "was attacked, and an adversary has all of them"
        )
    for what, count in reader.description.counts.items():
        yield f"the recorder passed over {what}: {count}"


def _more_than_once(reader: TraceReader, epoch: int) -> Iterator[int]:
    crossed = Counter(
        (route.sender, route.level, sample)
        for route, samples in reader.rows(epoch)
        if route.receiver == SERVER
        for sample in samples
    )
    return (sample for (_, _, sample), times in crossed.items() if times > 1)


def _of_sites(reader: TraceReader) -> Iterator[str]:
    given = reader.description
    silent = set(given.split.party_names) - set(reader.split.party_names)
    if silent:
        yield (
            f"no messages of {', '.join(sorted(silent))} were recorded: this audit says nothing "
            "of what they send"
        )
    if not reader.asked:
        yield (
            "the job was asked nothing while it was recorded: attacks that ask, and the presence "
            "control, could not be mounted"
        )
