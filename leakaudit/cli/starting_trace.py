"""`leakaudit init --trace`: the parts of audit.toml that a trace settles."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakaudit.cli.terminal import printable, say
from leakaudit.errors import DataError

if TYPE_CHECKING:
    from leakaudit.trace.reader import TraceReader


def fitted_to(text: str, reader: TraceReader, patients: Sequence[str]) -> str:
    """The text of audit.toml with the trace's parties, label holder, groups, epochs and size.

    Args:
        text: as it is for the data alone.
        reader: the trace.
        patients: pseudonyms in the data.

    Raises:
        DataError: the trace's patients are not among them.
    """
    given = reader.description
    trained = sorted(set(reader.patients))
    strange = sorted(set(trained) - set(patients))
    if strange:
        raise DataError(
            "the trace's patients must be in the data, under the same pseudonyms",
            found=f"{len(strange)} of {len(trained)} are not, such as {strange[0]}",
            remedy="name the data and the pseudonym key that the sample sheet was written from",
        )
    others = [name for name in sorted(set(patients)) if name not in trained]
    half = -(-2 * len(others) // 3)
    groups = {"training": trained, "auxiliary": others[:half], "validation": others[half:]}
    parties = "\n".join(
        f"    {{ name = {_text(party.name)}, modalities = {json.dumps(list(party.modalities))} }},"
        for party in given.split.parties
    )
    first = given.split.parties[0].name
    changes = {
        r"(?ms)(^\[groups\]\n).*?(?=\n\n)": "\\1"
        + "\n".join(f"{name} = {json.dumps(names)}" for name, names in groups.items()),
        r"(?ms)(^parties = \[\n).*?(?=^\])": f"\\1{parties}\n",
        r"(?m)^labels_at = .*$": f"labels_at = {_text(given.split.labels_at)}",
        r"(?m)^members = .*$": f"members = [{_text(first)}]",
    }
    if len(set(given.space)) == 1:
        changes[r"(?m)^size = \d+$"] = f"size = {given.space[0]}"
    for pattern, instead in changes.items():
        text = re.sub(pattern, instead, text, count=1)
    return text


def compare(file: Path, reader: TraceReader) -> None:
    """Say whether the data, read as the file says, are the cohort that the trace is of."""
    from leakaudit.plan.configuration import read_configuration
    from leakaudit.plan.materials import load_cohort

    configuration, _ = read_configuration(file)
    found = load_cohort(configuration.cohort.use, configuration.cohort.settings).fingerprint()
    wanted = reader.description.cohort_fingerprint
    if found == wanted:
        say("The data, read as [cohort] says, are those that the trace was recorded on.")
    else:
        say(
            f"Note: read as [cohort] says, the data have fingerprint {found[:12]}, those of the "
            f"trace {wanted[:12]}: give [cohort] the settings the sample sheet was written with."
        )
    say(
        "Note: who is auxiliary is drawn anew; attacks that ask need those the job was asked about."
    )
    say(f"Next: `leakaudit attack {printable(reader.folder)} {printable(file)} --out runs/job`")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
