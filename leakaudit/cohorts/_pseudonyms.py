"""Names for patients that may leave the room, and the key that orders them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from leakaudit.errors import DataError

_KEY_BYTES = 32


def pseudonyms(originals: Iterable[str], key: str, letter: str = "P") -> dict[str, str]:
    """P001, P002, ... by the order of each original's keyed digest (HMAC-SHA-256).

    The order does not follow names, dates or hospitals hidden in the originals. The same set of
    originals and the same key give the same table; whoever holds both can rebuild it, so this is
    pseudonymisation, not anonymisation.

    Args:
        originals: names as found on disk; repeats count once.
        key: any text.
        letter: what the pseudonyms begin with.
    """
    ranked = sorted(
        set(originals),
        key=lambda name: hmac.new(key.encode(), name.encode(), hashlib.sha256).digest(),
    )
    width = max(3, len(str(len(ranked))))
    return {name: f"{letter}{rank:0{width}d}" for rank, name in enumerate(ranked, start=1)}


def key_beside(data: Path) -> Path:
    """Where the key of a cohort lies: hidden, with the data it protects."""
    if data.is_dir():
        return data / ".leakaudit-key"
    return data.with_name(f".{data.name}.leakaudit-key")


def kept_key(file: Path) -> str:
    """The key in a file, drawn at random where there is none yet; readable by its owner alone.

    Raises:
        DataError: the file is unreadable, empty, or cannot be made.
    """
    try:
        if not file.exists():
            partial = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(_KEY_BYTES) + "\n")
            try:
                # Two workers may draw at once: the first key is everybody's.
                file.hardlink_to(partial)
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(
            "the key of the pseudonyms is kept in a file beside the data",
            found=f"{file}: {problem}",
            remedy="name a file that can be written in `pseudonym_key_file` under [cohort]; keep "
            "it as safe as the data",
        ) from None
    if not key:
        raise DataError(
            "the key of the pseudonyms must not be empty",
            found=str(file),
            remedy="remove the file; a key is drawn anew, and pseudonyms change",
        )
    return key
