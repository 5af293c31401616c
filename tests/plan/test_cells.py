"""A cell's name changes with everything that determines its result, and with nothing else."""

from __future__ import annotations

from importlib import import_module
from inspect import getfile
from pathlib import Path
from shutil import copytree

import pytest

import leakaudit
from leakaudit.cohorts import GroupSettings
from leakaudit.plan import cells
from leakaudit.plan.cells import (
    CohortChoice,
    Interfering,
    TrainingCell,
    core_digest,
    plugin_digest,
)
from leakaudit.plan.sources import imported, sources
from leakaudit.plan.tables import Use
from leakaudit.plugins import Kind, load
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.knowledge import Adversary, Position
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.settings import TrainingSettings

CHOICE = CohortChoice(cohort=Use(use="phantom"), groups=GroupSettings(), fingerprint="f")
CELL = TrainingCell(
    choice=CHOICE,
    split=SplitSpec(parties=(PartySpec(name="a", modalities=("T1",)),)),
    defenses=(Use.model_validate({"use": "dropout", "rate": 0.5}),),
    training=TrainingSettings(),
    recording=RecordingSettings(),
    seed=0,
)
HIJACKED = Interfering(
    adversary=Adversary(name="server", position=Position.SERVER, behaviour="active"),
    attack=Use(use="feature-hijacking"),
)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"choice": CHOICE.model_copy(update={"fingerprint": "g"})},
        {"choice": CHOICE.model_copy(update={"groups": GroupSettings(seed=1)})},
        {"defenses": ()},
        {"defenses": (Use.model_validate({"use": "dropout", "rate": 0.6}),)},
        {"training": TrainingSettings(epochs=3)},
        {"recording": RecordingSettings(epochs="all")},
        {"recording": None},
        {"interfering": HIJACKED},
        {"interfering": HIJACKED.model_copy(update={"attack": Use(use="decoder-inversion")})},
    ],
)
def test_what_matters_changes_the_key(changes: dict[str, object]) -> None:
    assert CELL.model_copy(update=changes).key() != CELL.key()


def test_the_same_cell_has_the_same_key_after_a_trip_to_a_worker() -> None:
    assert TrainingCell.model_validate_json(CELL.model_dump_json()).key() == CELL.key()


def test_an_edited_core_makes_every_cell_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy: elsewhere the same, edited in any file another."""
    copy = copytree(Path(leakaudit.__file__).parent, tmp_path / "copy")
    assert core_digest(copy) == core_digest()
    before = CELL.key()
    core_digest.cache_clear()  # as a new process has it
    loop = copy / "training" / "loop.py"
    loop.write_text(loop.read_text().replace("lr=", "lr=2 * "))
    edited = core_digest(copy)
    monkeypatch.setattr(cells, "core_digest", lambda: edited)
    assert CELL.key() != before


def test_a_file_that_moved_or_came_counts_as_an_edit(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 1\n")
    digests = {core_digest(tmp_path)}
    for change in (
        lambda: (tmp_path / "one.py").rename(tmp_path / "two.py"),
        lambda: (tmp_path / "three.py").write_text(""),
        lambda: (tmp_path / "three.py").write_text("x = 1\n"),
    ):
        change()
        core_digest.cache_clear()
        digests.add(core_digest(tmp_path))
    assert len(digests) == 4


def test_a_plugin_answers_for_its_file_and_what_it_imports_beside_it(tmp_path: Path) -> None:
    (tmp_path / "attack.py").write_text("from ._part import x\n")
    (tmp_path / "_part.py").write_text("from ._deep import y\n")
    (tmp_path / "_deep.py").write_text("y = 1\n")
    (tmp_path / "_other.py").write_text("z = 1\n")
    names = {file.name for file in imported(tmp_path / "attack.py", "leakaudit.attacks")}
    assert names == {"attack.py", "_part.py", "_deep.py"}
    assert plugin_digest(Kind.DEFENSE, "dropout") != plugin_digest(Kind.DEFENSE, "gaussian-noise")


@pytest.mark.parametrize(
    "written",
    [
        "from ._part import x",
        "from . import _part",
        "from leakaudit.attacks._part import x",
        "from leakaudit.attacks import _part",
        "import leakaudit.attacks._part",
        "def later():\n    from ._part import x",
    ],
)
def test_however_a_module_beside_it_is_imported(tmp_path: Path, written: str) -> None:
    (tmp_path / "attack.py").write_text(f"{written}\nimport torch\nfrom leakaudit import plugins\n")
    (tmp_path / "_part.py").write_text("x = 1\n")
    (tmp_path / "_other.py").write_text("z = 1\n")
    names = {file.name for file in imported(tmp_path / "attack.py", "leakaudit.attacks")}
    assert names == {"attack.py", "_part.py"}


def test_an_attack_answers_for_the_folders_its_parts_lie_in() -> None:
    """From its own file through a folder beside it, and from there into another folder."""
    attack = load(Kind.ATTACK, "simulator-inversion")
    beside = Path(getfile(attack)).parent
    files = {str(file.relative_to(beside)) for file in sources(attack)}
    assert {
        "simulator_inversion.py", "simulation/simulators.py", "simulation/imitation.py",
        "parts/messages.py", "parts/linear.py",
    } <= files  # fmt: skip
    assert not {file for file in files if file.startswith(("masks/", "matching/"))}


def test_an_imported_folder_counts_as_well(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "attack.py").write_text("from .deep.inner import x\nfrom .deep import y\n")
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "deep" / "inner.py").write_text("from ..beside import z\n")
    (tmp_path / "beside.py").write_text("z = 1\n")
    names = {file.name for file in imported(tmp_path / "attack.py", "leakaudit.attacks")}
    assert names == {"attack.py", "__init__.py", "inner.py", "beside.py"}


def test_a_strangers_plugin_answers_for_its_whole_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it imports, and however: a change anywhere in it makes old results stale."""
    package = tmp_path / "strangers_own" / "guards"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "blur.py").write_text(
        "from importlib import import_module\n"
        "kernel = import_module('strangers_own.kernel')\n"
        "class Blur:\n    pass\n"
    )
    (package.parent / "kernel.py").write_text("width = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = sources(import_module("strangers_own.guards.blur").Blur)
    assert {file.name for file in found} == {"__init__.py", "blur.py", "kernel.py"}


def test_what_ships_here_forgets_nothing_when_another_changes() -> None:
    names = {file.name for file in sources(load(Kind.DEFENSE, "laplace-noise"))}
    assert {"laplace_noise.py", "_message_noise.py", "_laplace_accountant.py"} <= names
    assert not {"gaussian_noise.py", "dropout.py"} & names
