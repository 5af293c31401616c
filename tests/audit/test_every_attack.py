"""Every attack by every preset adversary: mounted, or not and why; nothing ends in a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frugal import frugal
from in_process_audit import Trial

from leakaudit import plugins
from leakaudit.exchange.message import Direction
from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.plugins import Kind
from leakaudit.threat.knowledge import PRESETS
from leakaudit.trace.recorded import RecordedExchange

COHORT: dict[str, Any] = {
    "use": "phantom", "patients": 16, "slices_per_patient": 3, "size": 16,
}  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "examples" / "lgg-attacks.toml"
ATTACKS = plugins.names(Kind.ATTACK)
WHO_CAN = {
    "activation-matching": {"curious-server-with-weights"},
    "attribute-inference": {"wire-tap"},
    "cross-modality": {"curious-party"},
    "cross-modality-inversion": set(),  # a party that also listens: no preset does
    "decoder-inversion": {
        "curious-server", "curious-server-with-weights", "wire-tap", "dishonest-server",
    },
    "feature-hijacking": {"dishonest-server"},
    "gradient-inversion": {"curious-server-with-weights"},
    "gradient-matching": {"curious-party"},
    "joint-matching": {"curious-server-with-weights", "wire-tap", "dishonest-server"},
    "mask-inference": {"curious-party", "wire-tap"},
    "membership-inference": {
        "curious-server", "curious-server-with-weights", "wire-tap", "dishonest-server",
    },
    "model-membership-inference": {
        "curious-server", "curious-server-with-weights", "dishonest-server",
    },
    "re-identification": {
        "curious-server", "curious-server-with-weights", "wire-tap", "dishonest-server",
    },
    "simulator-inversion": {"curious-server", "curious-server-with-weights", "dishonest-server"},
}  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore")


def configured(**changes: Any) -> AuditConfiguration:
    content: dict[str, Any] = {
        "seeds": [0],
        "cohort": COHORT,
        "groups": {"training": 6, "auxiliary": 7, "validation": 3},
        "split": {
            "parties": [
                {"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["FLAIR"]},
            ],
            "channels": [4, 8],
            "party_levels": 2,
        },
        "training": {"epochs": 2, "batch_size": 6, "references": []},
        "recording": {"epochs": "all", "weight_updates": 2},
        "adversaries": [
            {"preset": name} | ({"members": ["a"]} if name == "curious-party" else {})
            for name in PRESETS
        ],
        "attacks": [
            {"use": name, **frugal(name)} for name in ATTACKS
        ],
        "judgement": {"lpips": "off", "dependence": False},
    }  # fmt: skip
    return AuditConfiguration.model_validate(content | changes)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(configured(), tmp_path_factory.mktemp("trial"))


@pytest.mark.parametrize("adversary", PRESETS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_is_mounted_or_says_why_not(attack: str, adversary: str, trial: Trial) -> None:
    result = trial.attack(AttackId(TrainingId("none", 0), adversary, attack))
    can = WHO_CAN.get(attack)
    if can is not None:
        assert (result.status == "done") == (adversary in can), result.reason
    assert result.status in ("done", "not mountable"), result.reason
    assert bool(result.scores) == (result.status == "done")
    assert bool(result.reason) == (result.status == "not mountable")


def test_the_record_says_of_each_adversary_what_it_mounted_and_what_not_and_why(
    trial: Trial,
) -> None:
    record = trial.record()
    assert [adversary.name for adversary in record.adversaries] == list(PRESETS)
    for adversary in record.adversaries:
        refused = {each.attack: each.reason for each in adversary.not_mountable}
        assert sorted((*adversary.mounted, *refused)) == sorted(ATTACKS)
        assert all(refused.values())
    assert {each for adversary in record.adversaries for each in adversary.mounted} == {
        name for name in ATTACKS if WHO_CAN.get(name) != set()
    }
    assert not record.failures


def test_without_auxiliary_patients_every_attack_says_so(tmp_path: Path) -> None:
    groups = {"training": 6, "auxiliary": 0, "validation": 3}
    record = Trial(configured(groups=groups), tmp_path).record()
    for adversary in record.adversaries:
        assert not adversary.mounted
        refused = {each.attack: each.reason for each in adversary.not_mountable}
        assert sorted(refused) == sorted(ATTACKS)
        assert all("auxiliary patients" in reason for reason in refused.values())
    assert {verdict.verdict for verdict in record.verdicts} == {"not tested"}
    assert any("auxiliary patients" in verdict.reason for verdict in record.verdicts)


def test_what_was_not_recorded_or_is_not_finite_is_named_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No weight updates in the trace, and gradients that overflowed on their way."""

    def overflowed(self: RecordedExchange, *route: Any) -> torch.Tensor:
        sent = read(self, *route)
        return sent / 0 if Direction.GRADIENT in route else sent

    read = RecordedExchange.messages
    monkeypatch.setattr(RecordedExchange, "messages", overflowed)
    named = ("decoder-inversion", "gradient-matching", "gradient-inversion",
             "mask-inference")  # fmt: skip
    attacks = [
        use.model_dump(exclude={"settings"}) | use.settings
        for use in configured().attacks
        if use.title in named
    ]
    configuration = configured(attacks=attacks, recording={"weight_updates": 0})
    record = Trial(configuration, tmp_path).record()
    insider = next(a for a in record.adversaries if a.name == "curious-server-with-weights")
    assert "decoder-inversion" in insider.mounted
    (refused,) = [n for n in insider.not_mountable if n.attack == "gradient-inversion"]
    assert "weight_updates" in refused.reason
    assert sorted(failure.where.split(" on ")[0] for failure in record.failures) == [
        "gradient-matching by curious-party",
        "mask-inference by curious-party",
        "mask-inference by wire-tap",
    ]
    for failure in record.failures:
        assert failure.kind == "attack invalid"
        assert "must be finite" in failure.reason
    assert any(finding.attack == "decoder-inversion" for finding in record.findings)


@pytest.mark.slow
def test_the_example_mounts_the_catalogue_undefended_and_with_noise(tmp_path: Path) -> None:
    """On generated patients and in few steps: the slices it is meant for are not here."""
    asked, _ = read_configuration(EXAMPLE, {"cohort.path": str(tmp_path)})
    assert {attack.use for attack in asked.attacks} >= {
        name for name, can in WHO_CAN.items() if can
    }
    content = asked.model_dump(mode="json")
    attacks = [
        {**use.model_dump(exclude={"settings"}), **use.settings, **frugal(use.use)}
        for use in asked.attacks
    ]
    small = configured().model_dump(mode="json", include={"groups", "training", "seeds"})
    trial = Trial(
        AuditConfiguration.model_validate(
            content
            | small
            | {
                "cohort": COHORT,
                "attacks": attacks,
                "victims": None,
                "adversaries": asked.adversaries,
            }
        ),
        tmp_path,
    )
    record = trial.record()
    assert [defense.label for defense in record.defenses] == ["none", "noise 1.5"]
    assert all(not adversary.not_mountable for adversary in record.adversaries)
    mounted = {(f.defense, f.attack) for f in record.findings}
    assert mounted == {(d.label, a.title) for d in asked.defenses for a in asked.attacks}
