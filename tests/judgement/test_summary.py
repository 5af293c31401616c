"""What the record says of adversaries: which attacks were mounted, and which not, where and why."""

from __future__ import annotations

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.judgement.summary import adversary_summaries
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.plan import AttackId, TrainingId

CONFIGURATION = AuditConfiguration.model_validate(
    {
        "cohort": {"use": "phantom"},
        "split": {"parties": [{"name": "a", "modalities": ["T1"]}]},
        "adversaries": [{"preset": "curious-server"}],
        "attacks": [{"use": "activation-matching"}, {"use": "decoder-inversion"}],
    }
)
LACKS, FLAT = "lacks weights", "no gradient comes back"


def result(setting: str, attack: str, reason: str = "") -> tuple[AttackId, AttackResult]:
    identity = AttackId(TrainingId(setting, 0), "curious-server", attack)
    status = "not mountable" if reason else "done"
    return identity, AttackResult(status=status, reason=reason)


def test_an_attack_that_only_some_settings_refuse_says_under_which() -> None:
    (summary,) = adversary_summaries(
        CONFIGURATION,
        dict(
            [
                result("none", "activation-matching"),
                result("rounded", "activation-matching", FLAT),
                result("stepped", "activation-matching", FLAT),
                result("none", "decoder-inversion", LACKS),
                result("rounded", "decoder-inversion", LACKS),
            ]
        ),
    )
    assert summary.mounted == ("activation-matching",)
    assert [(each.attack, each.reason) for each in summary.not_mountable] == [
        ("activation-matching", f"under rounded, stepped: {FLAT}"),
        ("decoder-inversion", LACKS),
    ]
