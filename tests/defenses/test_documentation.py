"""The pages on defenses: their code runs, their table is complete, their package installs."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import Typed, typed

from leakaudit import plugins
from leakaudit.exchange.defense import Defense
from leakaudit.plugins import Kind
from leakaudit.record import read_record

__all__ = ["typed"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
DEFENSES = (DOCS / "defenses.md").read_text(encoding="utf-8")
ADD = (DOCS / "add-a-defense.md").read_text(encoding="utf-8")

PROGRAM = """
import torch
from leakaudit import plugins
from leakaudit.exchange.stack import no_claim_because, resolve
from leakaudit.exchange.defense import Exposure
from leakaudit.plugins import Kind
from leakaudit.split import SplitSpec
from leakaudit.training.data import Holdings
from leakaudit.training.loop import train
from leakaudit.training.settings import TrainingSettings

assert "blur" in plugins.names(Kind.DEFENSE)
blur = plugins.build(Kind.DEFENSE, "blur", {"reach": 2})
split = SplitSpec.model_validate(
    {"parties": [{"name": "only", "modalities": ["T1"]}], "channels": [4, 8], "party_levels": 1}
)
stack = resolve([blur], split, Exposure(1, 1, 6, 2, 4))
images = torch.rand(6, 1, 16, 16)
holdings = Holdings({"only": images}, (images > 0.7).float(), torch.arange(6))
trained = train(
    holdings, torch.arange(6), split, stack, TrainingSettings(epochs=1, batch_size=4), seed=0
)
party = trained.network.party("only")
sent = party(images, torch.Generator())[0]
assert sent.std() < party.encoder(images)[0].std()
print("audited")
"""


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_python_of_the_defenses_page_runs() -> None:
    (block,) = _blocks(DEFENSES, "python")
    exec(block, {})


def test_what_the_defenses_page_shows_of_a_claim_is_what_is_printed(typed: Typed) -> None:
    command, *rest = (block.strip() for block in _blocks(DEFENSES, "bash"))
    (shown,) = _blocks(DEFENSES, "text")
    assert not rest
    said = typed(*command.removeprefix("leakaudit ").split())
    assert said.code == 1
    lines = [line.rstrip() for line in said.out.strip().splitlines()]
    assert lines == shown.strip().splitlines()


def test_the_configuration_on_the_defenses_page_builds() -> None:
    (block,) = _blocks(DEFENSES, "toml")
    for setting in tomllib.loads(block)["defenses"]:
        for entry in setting.get("stack", []):
            name = entry.pop("use")
            assert isinstance(plugins.build(Kind.DEFENSE, name, entry), Defense)


def test_the_table_names_every_defense_and_says_truly_which_can_claim() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([^|]*) \|$", DEFENSES, flags=re.MULTILINE))
    shipped = [
        name
        for name in plugins.names(Kind.DEFENSE)
        if plugins.load(Kind.DEFENSE, name).__module__.startswith("leakaudit.defenses.")
    ]
    assert set(shipped) <= set(rows)
    for name in shipped:
        kind: type[Defense] = plugins.load(Kind.DEFENSE, name)
        overrides = kind.claim is not Defense.claim
        assert overrides == ("epsilon" in rows[name]), name


def test_the_table_says_truly_which_way_is_stronger() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|[^|]*\|([^|]*)\|", DEFENSES, flags=re.MULTILINE)
    for name, main_setting in rows:
        if name not in plugins.names(Kind.DEFENSE):
            continue
        kind: type[Defense] = plugins.load(Kind.DEFENSE, name)
        if kind.strength is None:
            assert not main_setting.strip(), name
            continue
        assert kind.strength.setting in kind.model_fields
        assert f"`{kind.strength.setting}`" in main_setting
        words = main_setting.partition(",")[0].split()
        assert ("up" in words or "more" in words) == kind.strength.rising, name


def _installed(folder: Path) -> dict[str, str]:
    """The page's package, built and installed in a folder; the environment that finds it."""
    package = folder / "blurred"
    package.mkdir()
    (package / "pyproject.toml").write_text(_blocks(ADD, "toml")[0], encoding="utf-8")
    (package / "blurred.py").write_text(_blocks(ADD, "python")[0], encoding="utf-8")
    site = folder / "site"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check", "--target", str(site),
            str(package),
        ],
        check=True,
    )  # fmt: skip
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def test_a_strangers_package_is_found_and_trains(tmp_path: Path) -> None:
    environment = _installed(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "audited"


AUDIT = """
seeds = [0]
sweep = [{ use = "blur", reach = { values = [1, 3] } }]
cohort = { use = "phantom", patients = 8, slices_per_patient = 1, size = 32 }
training = { epochs = 1 }
judgement = { dependence = false, lpips = "off" }
adversaries = [{ preset = "curious-server" }]
attacks = [{ use = "decoder-inversion", steps = 5 }]
[split]
parties = [{ name = "only", modalities = ["T1"] }]
channels = [4, 8]
party_levels = 1
"""


@pytest.mark.slow
def test_a_strangers_defense_is_audited(tmp_path: Path) -> None:
    """From the package to its leakage and its price, in processes that know nothing of it."""
    environment = _installed(tmp_path)
    (tmp_path / "audit.toml").write_text(AUDIT, encoding="utf-8")
    command = "-m leakaudit run audit.toml --out run --no-report --quiet"
    done = subprocess.run(
        [sys.executable, *command.split()], capture_output=True, text=True, cwd=tmp_path,
        env=environment, check=False,
    )  # fmt: skip
    record = read_record(tmp_path / "run")
    assert record.failures == (), done.stderr
    assert [defense.label for defense in record.defenses] == ["none", "blur 1", "blur 3"]
    images = next(each for each in record.trade_offs if each.asset == "images")
    blurred = next(point for point in images.points if point.setting == "blur 3")
    assert blurred.dice_change is not None
    assert {finding.defense for finding in record.findings} == {"none", "blur 1", "blur 3"}
    assert "blur 3" in done.stdout
