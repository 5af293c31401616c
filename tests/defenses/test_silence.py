"""Whose silence is believed: what ships here and is known to remove, or to be read through."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import ClassVar

import pytest
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.none import NoDefense

from leakaudit import plugins
from leakaudit.judgement import burden
from leakaudit.judgement.burden import explained, unexplained
from leakaudit.plan.tables import DefenseStack
from leakaudit.plugins import Kind

TESTS = Path(__file__).parents[1]
NOT_FOOLED = "attacks/test_not_fooled.py"
ROTATION = (NOT_FOOLED, "test_a_secret_rotation_is_undone_with_the_steps_an_audit_takes")

# A test in which attacks that ship here read through the defense's kind.
READ_THROUGH = {
    "keyed-rotation": ROTATION,
    "bottleneck": ROTATION,  # what is left of the channels comes in an unknown linear mixture
    "quantization": (NOT_FOOLED, "test_recovers_the_undefended_advantage"),
    "learned-noise": (NOT_FOOLED, "test_recovers_the_undefended_advantage"),  # its fixed offset
    "gaussian-noise": (
        "attacks/test_averaging.py", "test_twenty_releases_tell_measurably_more_than_one",
    ),
}  # fmt: skip
# They leave out, bury in fresh randomness, or do not touch; nothing is put into another form.
REMOVES = {
    "none", "laplace-noise", "gradient-clip-noise", "dropout", "channel-pruning",
    "skip-withholding", "dp-sgd",
}  # fmt: skip
# They put messages into a form against which no attack that ships here was shown to be strong:
# an order nobody restores, an encoder trained against its readers.
UNKNOWN = {"patch-shuffle", "adversarial-decoder", "distance-correlation"}

SHIPPED = {
    entry.name: entry
    for entry in entry_points(group=Kind.DEFENSE.value)
    if entry.dist is not None and entry.dist.name == "leakaudit"
}


def test_every_defense_that_ships_is_sorted_and_says_so_itself() -> None:
    assert set(SHIPPED) == {*READ_THROUGH, *REMOVES, *UNKNOWN}
    believed = {name for name, entry in SHIPPED.items() if explained(entry.load())}
    assert believed == {*READ_THROUGH, *REMOVES}


@pytest.mark.parametrize(("file", "name"), sorted(set(READ_THROUGH.values())))
def test_what_shows_it_is_there(file: str, name: str) -> None:
    assert f"\ndef {name}(" in (TESTS / file).read_text(encoding="utf-8")


class Disguised(GaussianNoise):
    """Derived from what is known, and does something else."""


class Boasting(NoDefense):
    """Says of itself what nobody here has seen."""

    silence: ClassVar[str] = "trust me"


@pytest.mark.parametrize("defense", [Disguised, Boasting])
def test_a_package_earns_nothing_by_deriving_or_by_saying(
    defense: type[NoDefense], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strangers:
        dist = type("Dist", (), {"name": "somebody-else"})
        load = staticmethod(lambda: defense)

    known = dict(plugins.entries(Kind.DEFENSE))
    monkeypatch.setattr(burden, "entries", lambda kind: known | {"theirs": Strangers()})
    monkeypatch.setattr(burden, "load", lambda kind, name: defense)
    assert explained(defense) == ""
    (why,) = unexplained(DefenseStack.model_validate({"label": "x", "stack": [{"use": "theirs"}]}))
    assert "cannot tell hiding from removing" in why


def test_a_package_that_takes_a_name_from_here_takes_no_trust_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = dict(plugins.entries(Kind.DEFENSE))
    usurped = EntryPoint("gaussian-noise", f"{__name__}:Disguised", Kind.DEFENSE.value)
    monkeypatch.setattr(burden, "entries", lambda kind: known | {"gaussian-noise": usurped})
    assert explained(Disguised) == ""


def test_every_member_of_a_stack_must_be_known() -> None:
    def stack(*names: str) -> DefenseStack:
        return DefenseStack.model_validate({"label": "x", "stack": [{"use": n} for n in names]})

    assert unexplained(stack()) == ()
    assert unexplained(stack("gaussian-noise", "dropout")) == ()
    assert len(unexplained(stack("gaussian-noise", "patch-shuffle"))) == 1
