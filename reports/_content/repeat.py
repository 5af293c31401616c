"""Section 12: everything needed to run this audit again."""

from __future__ import annotations

from typing import Any

from .blocks import Cell, Column, Paragraph, Section, Table, Terms, code, say
from .evidence_index import Index
from .wording import count, cut, joined

LINES = 400
"""Settings printed; a configuration that is longer stands whole in the record."""


def repeat(index: Index) -> Section:
    """Command, configuration, seeds, environment, cost in time."""
    record = index.record
    environment, clock = record.environment, record.volatile
    packages = ", ".join(f"{name} {v}" for name, v in sorted(environment.packages.items()))
    peak = max(clock.peak_memory_bytes.values(), default=None)
    took = "not measured" if clock.seconds_total is None else f"{clock.seconds_total:.0f} s"
    if peak is not None:
        took += f"; peak memory {peak / 1e9:.1f} GB"
    lines = list(flattened(record.configuration_resolved))
    shown = lines[:LINES]
    more = f" {count(len(lines) - LINES, 'more line')} in the record." if len(lines) > LINES else ""
    return Section(
        "12",
        "How to repeat it",
        (
            Terms(
                (
                    ("Command", say(code(record.command))),
                    ("Seeds", say(joined([str(seed) for seed in record.seeds]))),
                    ("Python", say(environment.python)),
                    ("Packages", say(packages or "not recorded")),
                    ("Platform", say(environment.platform)),
                    ("Device", say(environment.device)),
                    ("Time taken", say(took)),
                )
            ),
            Paragraph(
                say(
                    "The record, audit.json, is attached to the PDF and lies beside this file. It "
                    "holds every per-patient value and both configurations, as given and as "
                    "resolved; leakaudit report renders it again. Its SHA-256 tells of damage and "
                    "is no signature: whoever edits a record can compute it anew. Who vouches for "
                    "it is told by leakaudit sign and leakaudit verify."
                )
            ),
            Table(
                "configuration",
                say("The configuration in effect, defaults included.", more),
                (Column("Setting", weight=1), Column("Value", weight=1.4)),
                tuple(
                    (Cell(say(code(cut(k, 120)))), Cell(say(code(cut(v, 300))))) for k, v in shown
                ),
            ),
        ),
    )


def flattened(value: Any, path: str = "") -> list[tuple[str, str]]:
    """`training.epochs`, `30`: nested settings as lines."""
    if isinstance(value, dict) and value:
        return [
            line
            for key in sorted(value)
            for line in flattened(value[key], f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, (list, tuple)) and any(isinstance(v, (dict, list)) for v in value):
        return [line for k, entry in enumerate(value) for line in flattened(entry, f"{path}[{k}]")]
    if isinstance(value, (list, tuple)):
        return [(path, ", ".join(map(str, value)) or "empty")]
    return [(path, "none" if value is None else str(value) or "empty")]
