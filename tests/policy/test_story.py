"""The story of docs/gate.md: green, one more skip crosses, red with a message, green again."""

from __future__ import annotations

from pathlib import Path

from command_line import Typed
from fenced import ROOT, blocks
from gate_records import gate_record, policy_file

from leakaudit.record import write_record


def test_the_story(typed: Typed, tmp_path: Path) -> None:
    (policy,) = blocks(ROOT / "docs" / "gate.md", "toml")
    write_record(gate_record(), tmp_path)

    def ci(text: str) -> tuple[int, str]:
        said = typed("check", tmp_path, "--policy", policy_file(tmp_path, text))
        return said.code, said.out

    code, out = ci(policy.text)
    assert (code, "Policy kept: 1 rule, 1 kept." in out) == (0, True)
    code, out = ci(policy.text.replace('"skip-withholding 0"', '"none"'))
    assert code == 1
    for part in (
        "FAIL: images against the server",
        "leakage-policy.toml:3",
        "curious server on images of",
        "level",
        "at least 0.6",
        "at most 0.50 is allowed",
        "do: Withhold level 0",
        "set by: Data-access committee",
    ):
        assert part in out, part
    assert ci(policy.text)[0] == 0
