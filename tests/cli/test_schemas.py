"""`leakaudit schema` prints schemas that are valid and that what is written obeys."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from command_line import Typed
from example_records import example_record
from gate_records import budget, gate_record

from leakaudit.policy import baseline_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("what", ["baseline", "config", "policy", "record", "trace"])
def test_schema_is_valid(typed: Typed, what: str) -> None:
    said = typed("schema", what)
    assert said.code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(said.out))


def test_a_record_obeys_its_schema(typed: Typed, tmp_path: Path) -> None:
    schema = json.loads(typed("schema", "record").out)
    jsonschema.validate(example_record().model_dump(mode="json"), schema)


def test_a_configuration_obeys_its_schema(typed: Typed) -> None:
    schema = json.loads(typed("schema", "config").out)
    given = tomllib.loads((EXAMPLES / "quickstart.toml").read_text(encoding="utf-8"))
    # Presets are written out before the schema applies.
    given["adversaries"] = [{"name": "a", "position": "server"}]
    jsonschema.validate(given, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given | {"epochs": 3}, schema)


def test_a_policy_obeys_its_schema(typed: Typed) -> None:
    schema = json.loads(typed("schema", "policy").out)
    text = budget() + "[[waiver]]\nrule = 'a'\nreason = 'b'\nexpires = '2027-01-31'\n"
    jsonschema.validate(tomllib.loads(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(budget(source=None)), schema)


def test_a_baseline_obeys_its_schema(typed: Typed) -> None:
    schema = json.loads(typed("schema", "baseline").out)
    jsonschema.validate(baseline_of(gate_record()).model_dump(mode="json"), schema)
