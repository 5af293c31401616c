"""How closely an audit looked: held against the policy's floors, and named where it could."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Typed, typed
from gate_records import WITHHELD, budget, gate_record, held, policy_file

from leakaudit.errors import ConfigurationError, NoValidVerdictError
from leakaudit.policy import markdown
from leakaudit.record import write_record

__all__ = ["typed"]

WEAK = {"weaknesses": ("decoder-inversion hardly tried: steps = 3 (usually 600)",)}
WAIVED = '[[waiver]]\nrule = "images"\nreason = "x"\nexpires = 2027-01-01\n'


def with_floors(floors: str) -> str:
    return f'{budget(max=0.5)}[audit]\nsource = "the board"\n{floors}\n'


@pytest.mark.parametrize(
    ("floors", "says"),
    [
        ("seeds = 5", "seeds = 3, 5 are needed"),
        ("patients = 50", "patients = 20, 50 are needed"),
        ("auxiliary = 500", r"auxiliary = \d+, 500 are needed"),
        ('attacks = ["decoder-inversion", "feature-hijacking"]', "nobody mounted feature-hijack"),
        ('adversaries = ["nobody"]', "nobody mounted no attack"),
        ('weaknesses = "refused"', "hardly tried"),
    ],
)
def test_an_audit_that_falls_short_is_not_judged(tmp_path: Path, floors: str, says: str) -> None:
    with pytest.raises(NoValidVerdictError, match=f"keeps to.*{says}.*set by the board"):
        held(tmp_path, gate_record(changes=WEAK), with_floors(floors))


def test_one_that_keeps_to_them_is(tmp_path: Path) -> None:
    floors = 'seeds = 3\npatients = 20\nattacks = ["decoder-inversion"]\nweaknesses = "refused"'
    assert held(tmp_path, gate_record(), with_floors(floors)).exit_code == 0


def test_who_set_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="source"):
        held(tmp_path, gate_record(), f"{budget()}[audit]\nseeds = 3\n")


def test_weaknesses_are_said_with_the_answer(tmp_path: Path, typed: Typed) -> None:
    write_record(gate_record(changes=WEAK), tmp_path)
    said = typed("check", tmp_path, "--policy", policy_file(tmp_path, budget(max=0.5)))
    assert said.code == 0
    assert said.out.splitlines()[0].startswith("Note: no [audit] floors in the policy")
    assert "weakness of this audit: decoder-inversion hardly tried: steps = 3" in said.out
    said = typed("check", tmp_path, "--policy", policy_file(tmp_path, with_floors("seeds = 3")))
    assert "no [audit] floors" not in said.out
    summary = markdown(held(tmp_path, gate_record(changes=WEAK), budget(max=0.5)))
    assert "no [audit] floors" in summary.replace("\\", "")
    assert "hardly tried" in summary


def test_a_policy_whose_leakage_rules_are_all_waived_says_so(tmp_path: Path) -> None:
    text = f"{budget(WITHHELD, name='images', max=0.01)}{WAIVED}"
    assert held(tmp_path, gate_record(), text).headline.startswith(
        "Nothing judged on leakage, for it is all waived"
    )
