"""A small audit on generated patients: every test adds or changes what it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leakaudit.plan.configuration import AuditConfiguration, read_configuration

SMALL = """
seeds = [0]
[cohort]
use = "phantom"
patients = 8
slices_per_patient = 1
size = 16
[groups]
training = 4
auxiliary = 3
validation = 1
[split]
channels = [4, 8]
party_levels = 2
parties = [{name = "a", modalities = ["T1"]}, {name = "b", modalities = ["FLAIR"]}]
[training]
epochs = 1
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
"""


def small_audit(
    folder: Path, more: str = "", changes: dict[str, Any] | None = None
) -> tuple[AuditConfiguration, dict[str, Any]]:
    """The configuration, and what its file says.

    Args:
        folder: where the file is written.
        more: tables behind those above.
        changes: dotted key to value.
    """
    file = folder / "audit.toml"
    file.write_text(SMALL + more, encoding="utf-8")
    return read_configuration(file, changes)
