"""Render a finished run's report for publication, without what belongs to the machine.

Run ``python benchmarks/publish_report.py RUN FOLDER``. The cohort's path becomes its file name and
the command one that names no folder of this machine; nothing else changes, the record's hash
excepted. Refused where the cohort is shareable or a picture lies beside the record: what is
published shows nobody.
"""

from __future__ import annotations

import argparse
import copy
import shlex
import sys
from pathlib import Path

from leakaudit.plugins import Kind, build
from leakaudit.record import Record, read_record
from leakaudit.record.store import sealed


def published(record: Record, command: str) -> Record:
    resolved = copy.deepcopy(record.configuration_resolved)
    for table, key in ((resolved.get("cohort", {}), "path"), (resolved, "policy")):
        if isinstance(table.get(key), str):
            table[key] = Path(table[key]).name
    return sealed(
        record.model_copy(update={"command": command, "configuration_resolved": resolved})
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", help="how to repeat it; unset: without its --out")
    options = parser.parse_args()
    record = read_record(options.run)
    if record.cohort.shareable or record.pictures:
        sys.stderr.write("this audit may hold pictures: publish the report of one that has none\n")
        return 1
    words = shlex.split(record.command)
    if "--out" in words:
        place = words.index("--out")
        del words[place : place + 2]
    options.folder.mkdir(parents=True, exist_ok=True)
    clean = published(record, options.command or shlex.join(words))
    sys.stdout.write(f"{build(Kind.REPORT, 'html', {}).render(clean, options.folder)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
