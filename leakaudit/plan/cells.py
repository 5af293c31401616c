"""Cells: the points of an audit, each named by the hash of all that determines its result."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

import leakaudit
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.models.imported import imported
from leakaudit.plan.sources import sources
from leakaudit.plan.tables import Section, Use
from leakaudit.plugins import Kind, load
from leakaudit.record.store import canonical
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.knowledge import Adversary
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.settings import TrainingSettings

_PINNED = frozenset({"monai", "torch"})
# Raise when the meaning of a finished cell's files changes.
CELL_VERSION = 4


class CohortChoice(Section):
    """Which patients, in which groups; the fingerprint pins the voxels themselves."""

    cohort: Use
    groups: GroupSettings
    fingerprint: str


class Interfering(Section):
    """Who takes part in a training in place of an honest server, by which attack."""

    adversary: Adversary
    attack: Use


class TrainingCell(Section):
    """Train one split under one defense setting with one seed, and record it.

    References (``pooled``, ``alone``) are training cells without recording. A training with a
    dishonest server is a cell of its own: the honest one knows nothing of it.
    """

    kind: Literal["training"] = "training"
    choice: CohortChoice
    split: SplitSpec
    defenses: tuple[Use, ...] = ()
    training: TrainingSettings
    recording: RecordingSettings | None = Field(default=None, description="unset: no trace")
    dependence: bool = False
    dealt_by: SplitSpec | None = Field(
        default=None,
        description="horizontal split of which one party trains alone",
    )
    interfering: Interfering | None = Field(default=None, description="unset: an honest server")
    seed: int

    def key(self) -> str:
        """Name of the cell's folder."""
        digests = [plugin_digest(Kind.DEFENSE, use.use) for use in self.defenses]
        if not self.split.is_reference:
            digests.append(model_digest(self.split.model.model_dump_json()))
        if self.interfering is None:
            # As it was before servers could be dishonest: finished cells keep their names.
            return _key(self, digests, unsaid={"interfering"})
        return _key(self, [*digests, plugin_digest(Kind.ATTACK, self.interfering.attack.use)])


class AttackCell(Section):
    """One attack by one adversary on one recorded training."""

    kind: Literal["attack"] = "attack"
    choice: CohortChoice
    source: str = Field(description="key of the training cell, or content hash of a foreign trace")
    adversary: Adversary
    attack: Use
    seed: int
    shuffled: bool = Field(default=False, description="negative control: mismatched pairs")
    victims: int | None = Field(description="attack at most this many training patients")
    lpips: str | None = Field(description="backbone file; null: not measured")
    pictures: bool = Field(description="keep what is needed for the gallery")

    def key(self) -> str:
        """Name of the cell's folder."""
        return _key(self, [plugin_digest(Kind.ATTACK, self.attack.use)])


@cache
def plugin_digest(kind: Kind, name: str) -> str:
    """SHA-256 over the source files that answer for a plug-in.

    A changed attack must not reuse its old results, nor make others forget theirs. Read once per
    process: an audit answers for the code it started with.
    """
    digest = hashlib.sha256()
    for file in sorted(sources(load(kind, name))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def core_digest(folder: Path = Path(leakaudit.__file__).parent) -> str:
    """SHA-256 over the core's own sources: all that trains, attacks and judges is among them.

    A version pins them only where nobody edits them. Of names and contents alone, so that it is
    the same wherever the same sources lie. Read once per process, as plug-ins are.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py"), key=lambda file: file.relative_to(folder).as_posix()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache
def model_digest(model: str) -> str:
    """SHA-256 over a model's plug-in and the sources of what its settings import.

    Of torch and MONAI, which are large and pinned, the version stands for the sources.

    Args:
        model: its table as JSON.
    """
    use = Use.model_validate_json(model)
    settings = use.settings
    digest = hashlib.sha256(plugin_digest(Kind.MODEL, use.use).encode())
    paths = [
        settings.get("network"),
        settings.get("function"),
        *settings.get("imports", {}).values(),
    ]
    for path in filter(None, paths):
        package = str(path).partition(":")[0].partition(".")[0]
        if package in _PINNED:
            digest.update(f"{package} {version(package)}".encode())
            continue
        for file in sorted(sources(imported(str(path), "the model"))):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _key(cell: Section, digests: list[str], unsaid: set[str] | None = None) -> str:
    content: dict[str, Any] = {
        "cell": cell.model_dump(mode="json", exclude=unsaid),
        "plugins": digests,
        "cells": CELL_VERSION,
        "leakaudit": leakaudit.__version__,
        "core": core_digest(),
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:20]
