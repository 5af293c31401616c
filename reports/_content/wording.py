"""How numbers and foreign text are written, in one place for all renderers."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from leakaudit.record import Asset, Estimate, Record, VerdictValue
from leakaudit.record.changes import Difference

MINUS = "\u2212"
NAME_LIMIT = 60
TEXT_LIMIT = 2000
LIMIT = {"title": 160, "controllers": 160, "processors": 160}
UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories of characters that show nothing, or reorder what is around them."""
NAMES = frozenset(
    {
        "label", "name", "party", "victim", "adversary", "attack", "defense", "setting", "sender",
        "receiver", "labels_at", "region", "regions", "modalities", "members", "mounted", "column",
        "patient", "victims", "validation_patients", "metric", "where", "least", "nearest",
        "rivals", "useless", "dominated_by", "strengths", "tried", "found", "cut", "cuts",
    }
)  # fmt: skip
"""Fields that hold a name: cut shorter than a sentence. The same name is cut the same way."""

PartT = TypeVar("PartT", bound=BaseModel)

WORD: dict[VerdictValue, str] = {
    "leak shown": "leak shown",
    "none shown": "not broken by these attacks",
    "inconclusive": "inconclusive",
    "not tested": "not tested",
    "attack invalid": "attack invalid",
}
GRAVITY: tuple[VerdictValue, ...] = (
    "leak shown",
    "attack invalid",
    "inconclusive",
    "not tested",
    "none shown",
)
"""Worst first: one actor's headline is its gravest verdict."""
SHORT = {
    "ssim": "SSIM", "psnr": "PSNR", "mse": "MSE", "lpips": "LPIPS", "dice": "Dice",
    "hd95": "HD95", "re-identification": "top-1",
}  # fmt: skip
"""Metric names as tables write them; others by the label in the record."""
ASSET: dict[Asset, str] = {
    "images": "images",
    "masks": "lesion masks",
    "identity": "identity",
    "membership": "membership in training",
    "attribute": "attributes",
}


def visible(text: str) -> str:
    """Text with every invisible or reordering character written out as `[U+202E]`."""
    return "".join(
        " "
        if letter in "\n\t\r"
        else f"[U+{ord(letter):04X}]"
        if unicodedata.category(letter) in UNSEEN
        else letter
        for letter in text
    )


def cut(text: str, limit: int) -> str:
    """Text of at most `limit` characters; what was cut stays distinct by a short hash."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{text[: limit - 32]}… ({len(text):,} characters, {digest})"


def displayable(record: Record) -> Record:
    """The record with every string made fit to print: nothing invisible, nothing endless."""
    return _displayable(record)


def _displayable(part: PartT) -> PartT:
    changes = {}
    for field in type(part).model_fields:
        value = getattr(part, field)
        shown = _shown(value, NAME_LIMIT if field in NAMES else LIMIT.get(field, TEXT_LIMIT))
        if shown is not value:
            changes[field] = shown
    return part.model_copy(update=changes) if changes else part


def _shown(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return cut(visible(value), limit)
    if isinstance(value, BaseModel):
        return _displayable(value)
    if isinstance(value, dict):
        return {_shown(k, NAME_LIMIT): _shown(v, limit) for k, v in value.items()}
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], (str, BaseModel, dict)):
        return type(value)(_shown(entry, limit) for entry in value)
    return value


def number(value: float, places: int = 2) -> str:
    """A number with a true minus sign, and no minus before a zero."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, places: int = 2) -> str:
    """A difference: the sign is always written."""
    text = number(value, places)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def interval(estimate: Estimate, places: int = 2) -> str:
    """`0.81 to 0.89`; without an interval the bounds from one side, or why there is none."""
    if estimate.lower is None or estimate.upper is None:
        bounds = (("at least", estimate.one_sided_lower), ("at most", estimate.one_sided_upper))
        said = [f"{word} {number(end, places)}" for word, end in bounds if end is not None]
        return ", ".join(said) or f"no interval: {estimate.undefined_because or 'undefined'}"
    return f"{number(estimate.lower, places)} to {number(estimate.upper, places)}"


def bracket(change: Difference) -> str:
    """`-0.12 (-0.20 to -0.04)`: a change with its interval, or with the bounds from one side."""
    return f"{signed(change.mean)} ({span(change)})"


def span(change: Difference) -> str:
    """What stands in the brackets."""
    if change.lower is not None and change.upper is not None:
        return f"{signed(change.lower)} to {signed(change.upper)}"
    bounds = (("at least", change.at_least), ("at most", change.at_most))
    said = [f"{word} {signed(end)}" for word, end in bounds if end is not None]
    return ", ".join(said) or f"no interval: {count(change.patients, 'patient')}"


def places_of(metric: str) -> int:
    """Decimals that mean something for a metric: decibels one, squared errors four."""
    return {"psnr": 1, "hd95": 1, "mse": 4, "lpips": 3}.get(metric, 2)


def percent(level: float) -> str:
    """`95 %`."""
    return f"{level * 100:.4g} %"


def size(count: float) -> str:
    """Bytes in decimal units."""
    if count < 1000:
        return f"{count:.0f} B"
    units = ("kB", "MB", "GB", "TB")
    power = min(int(math.log10(count) / 3), len(units))
    return f"{count / 1000**power:.1f} {units[power - 1]}"


def count(amount: int, noun: str, plural: str = "") -> str:
    """`1 patient`, `2,000 patients`."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def joined(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
