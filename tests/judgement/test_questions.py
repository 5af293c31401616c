"""Who is asked about whom: every link that an adversary reads, and no other."""

from __future__ import annotations

import pytest

from leakaudit.cells.finished import Finished
from leakaudit.judgement.questions import questions
from leakaudit.plan.configuration import AuditConfiguration


@pytest.mark.parametrize(
    ("adversary", "asked"),
    [
        ({"preset": "curious-server"}, {"a", "b", "c"}),
        ({"preset": "curious-party", "members": ["b"]}, {"a", "c"}),
        ({"preset": "wire-tap"}, {"a", "b", "c"}),
        ({"preset": "wire-tap", "members": ["b"]}, {"b"}),
    ],
)
def test_images_and_identity_are_asked_of_whom_the_adversary_reads(
    adversary: dict[str, object], asked: set[str]
) -> None:
    configuration = AuditConfiguration.model_validate(
        {
            "cohort": {"use": "phantom"},
            "split": {"parties": [{"name": name, "modalities": [name]} for name in "abc"]},
            "adversaries": [adversary],
            "attacks": [{"use": "decoder-inversion"}],
        }
    )
    found = list(questions(configuration, Finished({}, {}, {}, ())))
    for asset in ("images", "identity"):
        assert {victim for _, _, victim, kind, _ in found if kind == asset} == asked
