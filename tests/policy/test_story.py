"""The story of docs/gate.md: green, one more skip crosses, red with a message, green again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from command_line import Typed
from fenced import ROOT, blocks
from gate_records import NONE, SERVER_ADVERSARY, WITHHELD, gate_record, policy_file

from leakaudit.record import write_record

EXAMPLE = ROOT / "examples" / "gate"
POLICY = EXAMPLE / "leakage-policy.toml"
TOLD = (
    "FAIL: images against the server",
    "leakage-policy.toml:",
    "on images of",
    "level",
    "at least 0.",
    "at most 0.50 is allowed",
    "do: Withhold level 0",
    "set by: Data-access committee",
)


def test_the_page_shows_the_example() -> None:
    shown, *_ = blocks(ROOT / "docs" / "gate.md", "toml")
    assert tomllib.loads(shown.text) == tomllib.loads(POLICY.read_text(encoding="utf-8"))


def test_the_story_on_prepared_records(typed: Typed, tmp_path: Path) -> None:
    text = POLICY.read_text(encoding="utf-8")
    text = text.replace('"deployed"', f'"{WITHHELD}"').replace("curious-server", SERVER_ADVERSARY)
    write_record(gate_record(), tmp_path)

    def ci(policy: str) -> tuple[int, str]:
        said = typed("check", tmp_path, "--policy", policy_file(tmp_path, policy))
        return said.code, said.out

    code, out = ci(text)
    assert (code, "Policy kept: 1 rule, 1 kept." in out) == (0, True)
    assert "no [audit] floors" not in out
    code, out = ci(text.replace(WITHHELD, NONE))
    assert code == 1
    for part in TOLD:
        assert part in out, part
    assert ci(text)[0] == 0


def test_an_audit_of_one_seed_is_not_judged(typed: Typed, tmp_path: Path) -> None:
    write_record(gate_record(seeds=1), tmp_path)
    text = POLICY.read_text(encoding="utf-8").replace("curious-server", SERVER_ADVERSARY)
    said = typed("check", tmp_path, "--policy", policy_file(tmp_path, text))
    assert (said.code, "seeds = 1, 3 are needed" in said.err) == (2, True)


@pytest.mark.slow
def test_the_story_in_real_audits(typed: Typed, tmp_path: Path) -> None:
    """What the page tells a reader to type, on generated patients."""
    run = tmp_path / "run"

    def ci(*changes: str) -> tuple[int, str, str]:
        audited = typed(
            "run", EXAMPLE / "audit.toml", "--out", run, "--no-report", "--quiet", *changes
        )
        assert audited.code == 0, audited.err
        checked = typed("check", run, "--policy", POLICY)
        return checked.code, checked.out, audited.out

    code, out, _ = ci()
    assert (code, "Policy kept: 1 rule, 1 kept." in out) == (0, True), out
    code, out, computed = ci("--set", 'defenses.1.stack.0.cuts=["level 1"]')
    assert code == 1, out
    for part in (*TOLD, "curious-server"):
        assert part in out, part
    # The undefended split was not audited again.
    assert "Computed: 6 cells" in computed
    code, out, computed = ci()
    assert (code, "Policy kept: 1 rule, 1 kept." in out) == (0, True), out
    assert "Nothing had to be done" in computed
