"""The page on models: its networks are cut as it says, its function makes a split."""

import tomllib
from pathlib import Path

import pytest
from fenced import ROOT, blocks

from leakaudit.models import measured
from leakaudit.plan.configuration import read_configuration
from leakaudit.split import SplitSpec

PAGE = ROOT / "docs" / "models.md"
PARTIES = ({"name": "T1", "modalities": ("T1",)}, {"name": "FLAIR", "modalities": ("FLAIR",)})


@pytest.fixture
def my_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages, _ = blocks(PAGE, "python")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "split.py").write_text(stages.text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("my_package")
def test_every_model_of_the_page_can_be_split() -> None:
    tables = [tomllib.loads(block.text) for block in blocks(PAGE, "toml")]
    assert [table["model"]["use"] for table in tables] == ["cut", "cut", "callable"]
    for table in tables:
        split = {"parties": PARTIES, **table.get("split", {}), "model": table["model"]}
        assert measured(SplitSpec.model_validate(split), 3, (32, 32)).cuts


@pytest.mark.usefixtures("my_package")
def test_the_function_of_the_page_keeps_the_contract() -> None:
    _, check = blocks(PAGE, "python")
    exec(compile(check.text, str(PAGE), "exec"), {})


def test_the_example_is_a_split_that_can_be_trained() -> None:
    configuration, _ = read_configuration(ROOT / "examples" / "segresnet.toml")
    split = measured(configuration.split, 3, (32, 32))
    assert split.cuts is not None
    assert [cut.shapes[0] for cut in split.cuts] == [(8, 32, 32), (16, 16, 16)]
