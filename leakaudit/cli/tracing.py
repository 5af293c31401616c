"""`leakaudit samples`, `trace` and `merge`: before and after a job that trains elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from leakaudit.cli.terminal import printable, say
from leakaudit.errors import EXIT_OK, DataError

if TYPE_CHECKING:
    from leakaudit.recording import SampleSheet
    from leakaudit.trace.reader import TraceReader


def samples(config: Path, out: Path, images: tuple[Path, ...]) -> int:
    """Write a sample sheet.

    Args:
        config: of the audit.
        out: the sheet.
        images: .npz files with the job's rows.

    Raises:
        ConfigurationError: the configuration breaks a rule.
        DataError: the cohort does; or a row is not clearly one of its samples.
    """
    from leakaudit.plan.configuration import read_configuration
    from leakaudit.plan.materials import load_cohort
    from leakaudit.recording.sheets import sample_sheet

    configuration, _ = read_configuration(config)
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    sheet = sample_sheet(configuration, cohort)
    for file in images:
        sheet = _matched(sheet, file, cohort)
    sheet.write(out)
    named = sum(each.key is not None for each in sheet.samples)
    groups = [each.group for each in sheet.samples]
    say(f"Wrote {printable(out)}: {len(groups)} samples, {named} with a name of the job's own.")
    say(f"The job is asked about {len(set(sheet.asked) - {-1})} samples and a blank image.")
    return EXIT_OK


def _matched(sheet: SampleSheet, file: Path, cohort: object) -> SampleSheet:
    import numpy as np

    from leakaudit.cohorts.cohort import Cohort, Group
    from leakaudit.recording.sheets import matched

    if not isinstance(cohort, Cohort):
        raise TypeError(type(cohort))
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError) as problem:
        raise DataError(
            "the job's rows are read from a .npz file without pickle",
            found=f"{file}: {problem}",
            remedy="save it with numpy.savez_compressed",
        ) from None
    keys, group = arrays.pop("key", None), str(arrays.pop("group", np.array("training")))
    if keys is None or keys.dtype.kind not in "iuU" or group not in list(Group) or not arrays:
        raise DataError(
            "a file of a job's rows has `key` (n,) of text or whole numbers, `group` (one word) "
            "and an array (n, *space) per modality",
            found=f"{', '.join(arrays) or 'no modality'}, group {group!r} in {file}",
            remedy=f"groups: {', '.join(Group)}; modalities: {', '.join(cohort.modalities)}",
        )
    return matched(sheet, cohort, arrays, keys.tolist(), Group(group))


def trace(folder: Path) -> int:
    """Describe a trace.

    Raises:
        TraceError: it is none, or damaged.
    """
    from leakaudit.trace.reader import TraceReader

    for line in described(TraceReader(folder)):
        say(printable(line))
    return EXIT_OK


def described(reader: TraceReader) -> Iterator[str]:
    """What a trace holds, line by line."""
    from leakaudit.trace.remarks import remarks

    given = reader.description
    yield f"Recorded by {given.written_by}; network: {given.network}"
    yield f"Cohort: {given.cohort_fingerprint}"
    patients = len(set(reader.patients))
    yield (
        f"Training: {len(reader.samples)} samples of {patients} patients, "
        f"{given.epochs_trained} epochs; images of {' x '.join(map(str, given.space))}; regions "
        f"{', '.join(given.regions)}"
    )
    for party in given.split.parties:
        yield f"Party {party.name}: {', '.join(party.modalities)}"
    yield f"Labels at: {given.split.labels_at}"
    yield f"Epochs recorded whole: {', '.join(map(str, reader.epochs))}"
    for route, recorded in zip(reader.routes, given.routes, strict=True):
        yield (
            f"  {route.direction} from {route.sender} to {route.receiver}, {recorded.cut}: "
            f"{' x '.join(map(str, recorded.shape))}, {recorded.dtype}"
        )
    stated = ", ".join(f"{key} = {value}" for key, value in sorted(given.training.items()))
    yield f"Stated of the training: {stated or 'nothing'}"
    for each in given.filters or ():
        yield f"Filter of {each.site}: {each.name}; recorded {each.recorded}"
    if reader.can_be_rebuilt:
        yield "Its networks can be run again: every attack can be mounted."
    elif reader.asked:
        yield "It was asked about images while it trained: attacks that ask can be mounted."
    for remark in remarks(reader):
        yield f"Note: {remark}"


def merged(parts: tuple[Path, ...], out: Path) -> int:
    """Join parts of one run; what short-lived processes kept is gathered first.

    Raises:
        TraceError: they do not belong together.
    """
    from leakaudit.recording.spool import gathered, is_spool
    from leakaudit.trace.modes import owner_only
    from leakaudit.trace.parts import merge

    if len(parts) == 1 and is_spool(parts[0]):
        reader = gathered(parts[0], out)
        say(f"Wrote {printable(out)}: epoch {', '.join(map(str, reader.epochs))} of one part.")
        return EXIT_OK
    # As sensitive as what it is made of, and on the same disk as it is to be.
    with owner_only():
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = TemporaryDirectory(dir=out.parent, prefix=".gathered-")
    with aside as folder:
        traces = list(parts)
        for number, part in enumerate(parts):
            if is_spool(part):
                traces[number] = Path(folder) / str(number)
                gathered(part, traces[number])
        joined = merge(traces, out)
    say(
        f"Wrote {printable(out)}: epoch {', '.join(map(str, joined.epochs))} of {len(parts)} parts."
    )
    if joined.left_out:
        say(f"Left out, as not every site has it: epoch {', '.join(map(str, joined.left_out))}.")
    if joined.both_ends:
        say(f"Recorded at both ends and compared: {joined.both_ends} routes.")
    for route in joined.changed:
        say(f"Something changes {printable(route)} on its way; what arrived is kept.")
    return EXIT_OK
