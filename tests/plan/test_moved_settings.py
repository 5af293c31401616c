"""Attacks that once hid in another's settings: old configurations are told the new name."""

from __future__ import annotations

import pytest

from leakaudit.errors import ConfigurationError
from leakaudit.plugins import Kind, build


@pytest.mark.parametrize(
    ("attack", "settings", "now"),
    [
        ("gradient-matching", {"target": "images", "steps": 60}, "gradient-inversion"),
        ("gradient-matching", {"target": "masks"}, "leave the setting out"),
        ("gradient-matching", {"restarts": 2, "usual_images": 1.0}, "gradient-inversion"),
        ("membership-inference", {"through": "model"}, "model-membership-inference"),
        ("membership-inference", {"references": 2}, "model-membership-inference"),
        ("cross-modality", {"steps": 9, "through": "messages"}, "cross-modality-inversion"),
    ],
)
def test_one_message_names_the_attack_to_mount(
    attack: str, settings: dict[str, object], now: str
) -> None:
    with pytest.raises(ConfigurationError, match="no such setting any more") as told:
        build(Kind.ATTACK, attack, settings)
    assert now in str(told.value)
    assert any(f"{key} = {value!r}" in str(told.value) for key, value in settings.items())


def test_what_never_was_a_setting_is_a_wrong_name() -> None:
    with pytest.raises(ConfigurationError, match="restart"):
        build(Kind.ATTACK, "gradient-inversion", {"restart": 2})
    with pytest.raises(ConfigurationError, match="use_images"):
        build(Kind.ATTACK, "gradient-matching", {"use_images": 1.0})
