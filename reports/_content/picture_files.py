"""Pictures beside the record: read only where allowed, only from the run folder, only unaltered."""

from __future__ import annotations

import hashlib
from pathlib import Path

from leakaudit.record import Record

PNG = b"\x89PNG\r\n\x1a\n"
BUDGET = 5_000_000
"""Bytes of pictures in one report: base64 adds a third, and the page stays under 10 MB."""


def load_pictures(record: Record, folder: Path) -> dict[str, bytes]:
    """PNG bytes by the path the record gives; what is missing or altered is absent.

    A record of a cohort that is not shareable loads none, whatever it lists.
    """
    if not record.cohort.shareable:
        return {}
    root = folder.resolve()
    found: dict[str, bytes] = {}
    spent = 0
    for picture in record.pictures:
        path = (root / picture.file).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            continue
        if path.stat().st_size + spent > BUDGET:
            continue
        png = path.read_bytes()
        if png.startswith(PNG) and hashlib.sha256(png).hexdigest() == picture.sha256:
            found[picture.file] = png
            spent += len(png)
    return found
