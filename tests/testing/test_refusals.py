"""The contract tests find what they are there to find: each broken plug-in breaks one rule."""

from __future__ import annotations

import pytest
import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit import Attack, Defense, Guess, Knowledge, View, rehearse
from leakaudit.errors import ContractError
from leakaudit.exchange.defense import Guard, Site
from leakaudit.testing import check_attack, check_defense
from leakaudit.threat.attack import Checkpoint, Guesses


class Blind(Attack):
    """Guess the mean of one's own images."""

    needs = Knowledge.AUXILIARY_IMAGES
    asset = "images"
    criterion = "singling out"
    family = "none"
    source = "none"

    share: float = Field(default=1.0, ge=0, le=1, description="how bright")

    def guess(self, view: View, rng: Generator) -> Guesses:
        return {
            target: self.one(view, view.auxiliary_images(target.victim), rng)
            for target in view.targets
        }

    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        mean = known.mean(0, keepdim=True).expand(len(view), *known.shape[1:])
        return Guess(self.share * mean, len(known))


class Undescribed(Blind):
    share: float = Field(default=1.0, ge=0, le=1)


class Unbounded(Blind):
    share: float = Field(default=1.0, description="how bright")


class Greedy(Blind):
    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        view.auxiliary_masks()
        return super().one(view, known, rng)


class Lucky(Blind):
    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        import numpy as np

        return Guess(super().one(view, known, rng).values * np.random.rand(), 1)


class Careless(Blind):
    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        return super().one(view, known.mul_(0.5), rng)


class Bright(Blind):
    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        return Guess(super().one(view, known, rng).values + 1, 1)


class Falling(Blind):
    def one(self, view: View, known: Tensor, rng: Generator) -> Guess:
        last = super().one(view, known, rng).values
        return Guess(last, 1, (Checkpoint(2, last),))


class Lazy(Blind):
    def guess(self, view: View, rng: Generator) -> Guesses:
        return dict(list(super().guess(view, rng).items())[:1])


class Unchecked(Blind):
    def missing(self, view: View) -> Knowledge:
        return Knowledge(0)

    def guess(self, view: View, rng: Generator) -> Guesses:
        shapes = {name: (len(view), count, *view.space) for name, count in view.modalities.items()}
        return {each: Guess(torch.full(shapes[each.victim], 0.5), 0) for each in view.targets}


@pytest.fixture(scope="module")
def view() -> View:
    return rehearse().view("curious-server")


def test_a_sound_attack_passes_and_its_guesses_come_back(view: View) -> None:
    assert set(check_attack(Blind(), view)) == set(view.targets)


@pytest.mark.parametrize(
    ("attack", "rule"),
    [
        (Undescribed(), "described"),
        (Unbounded(), "cannot be meant"),
        (Greedy(), "name all"),
        (Lucky(), "generator that is handed in"),
        (Careless(), "leaves what it is shown"),
        (Bright(), "in \\[0, 1\\]"),
        (Falling(), "effort curve rise"),
        (Lazy(), "every target"),
        (Unchecked(), "refus"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Attack) else "",
)
def test_a_broken_attack_is_told_which_rule(attack: Attack, rule: str) -> None:
    with pytest.raises(ContractError, match=rule):
        check_attack(attack, rehearse().view("curious-server"))


class Halved(Defense):
    """Send half of every value."""

    def guard(self, site: Site, rng: Generator) -> Guard | None:
        return self.made(site, rng)

    def made(self, site: Site, rng: Generator) -> Guard:
        return HalvedGuard()


class HalvedGuard(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features / 2


class InPlace(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        with torch.no_grad():
            features.mul_(0.5)
        return features


class Global(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features + torch.rand(features.shape)


class Narrow(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features[:, :1]


class Opaque(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features + (features - features.detach()).abs().sqrt()


class Keyed(Guard):
    def __init__(self, rng: Generator) -> None:
        super().__init__()
        self.key = float(torch.rand((), generator=rng))  # not a buffer: it is not saved

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features * self.key


class Counting(Guard):
    def __init__(self) -> None:
        super().__init__()
        self.seen = 1

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        self.seen += 1
        return features / self.seen


def defense_of(guard: type[Guard]) -> Defense:
    class Made(Halved):
        """Put a guard at every party."""

        def made(self, site: Site, rng: Generator) -> Guard:
            return guard(rng) if guard is Keyed else guard()

    return Made()


def test_a_sound_defense_passes() -> None:
    check_defense(Halved())


@pytest.mark.parametrize(
    ("guard", "rule"),
    [
        (InPlace, "handed as it is"),
        (Global, "generator that is handed in"),
        (Narrow, "announces"),
        (Opaque, "finite gradients"),
        (Keyed, "saved network"),
        (Counting, "recording weight updates"),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_a_broken_defense_is_told_which_rule(guard: type[Guard], rule: str) -> None:
    with pytest.raises(ContractError, match=rule):
        check_defense(defense_of(guard))
