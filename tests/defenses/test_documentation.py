"""The pages on defenses: their code runs, their table is complete, their package installs."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from leakaudit import plugins
from leakaudit.exchange.defense import Defense
from leakaudit.plugins import Kind

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


def test_a_strangers_package_is_found_and_trains(tmp_path: Path) -> None:
    package = tmp_path / "blurred"
    package.mkdir()
    (package / "pyproject.toml").write_text(_blocks(ADD, "toml")[0], encoding="utf-8")
    (package / "blurred.py").write_text(_blocks(ADD, "python")[0], encoding="utf-8")
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check", "--target", str(site),
            str(package),
        ],
        check=True,
    )  # fmt: skip
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "audited"
