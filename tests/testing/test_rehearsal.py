"""A rehearsal is a real exchange: small, the same every time, and as defended as it says."""

from __future__ import annotations

import pytest
import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.skip_withholding import SkipWithholding

from leakaudit import rehearse
from leakaudit.errors import ConfigurationError, NotMountableError, UnknownNameError
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.attack import Guess
from leakaudit.threat.knowledge import Adversary

INVERSION = DecoderInversion(steps=20, channels=8)


def test_images_are_read_off_an_open_cut_and_not_through_noise() -> None:
    open_cut, noisy = rehearse(), rehearse([GaussianNoise(noise_multiplier=50.0)])
    found = []
    for rehearsal in (open_cut, noisy):
        view = rehearsal.view("curious-server")
        found.append(rehearsal.advantage(view, INVERSION(view, seed=0)))
    assert min(found[0].values()) > 0.3
    assert max(found[1].values()) < 0.2


def test_the_blind_guess_has_no_advantage_and_the_truth_has_all_of_it() -> None:
    rehearsal = rehearse()
    view = rehearsal.view("wire-tap", "masks")
    (target,) = view.targets
    rows = rehearsal._lineup(view.adversary, "masks").attacked
    truth = rehearsal._holdings.labels(rows)
    assert rehearsal.advantage(view, {target: Guess(truth, 1)}) == {target: pytest.approx(1)}
    some = torch.tensor([2, 0])
    told = rehearsal.advantage(view, {target: Guess(truth[some], 1, rows=some)})
    assert told == {target: pytest.approx(1)}


def test_the_same_every_time_and_another_with_another_seed() -> None:
    first, again, other = (rehearse(seed=seed).view("curious-server") for seed in (0, 0, 1))
    level = first.split.crossing[0]
    sent = [each.activations("south", level, each.last_epoch) for each in (first, again, other)]
    assert torch.equal(sent[0], sent[1])
    assert not torch.equal(sent[0], sent[2])


def test_recorded_messages_are_what_the_network_sends_again() -> None:
    """Within an epoch weights move; a frozen encoder's answer is near what it sent last."""
    view = rehearse().view("curious-server-with-weights")
    target = view.targets[0]
    level = target.levels[0]
    rng = torch.Generator().manual_seed(0)
    known = view.auxiliary_images(target.victim)
    asked = view.query(target.victim, known, view.last_epoch, rng)[level]
    endpoint = view.encoder(target.victim, view.last_epoch)
    assert torch.equal(endpoint(known, rng)[level], asked)
    sent = view.activations(target.victim, level, view.last_epoch)
    assert sent.shape == (len(view), *asked.shape[1:])
    assert 0.5 < (sent.std() / asked.std()).item() < 2


def test_weight_updates_speak_of_attacked_samples() -> None:
    view = rehearse().view("curious-server-with-weights")
    updates = view.updates("south", view.last_epoch)
    assert updates
    assert all(len(each.rows) == 1 and 0 <= int(each.rows) < len(view) for each in updates)


def test_defenses_reshape_it_and_splits_may_be_others() -> None:
    assert 0 not in rehearse([SkipWithholding(levels=(0,))]).split.crossing
    parties = tuple(PartySpec(name=name, modalities=("T1", "FLAIR")) for name in ("a", "b"))
    shared = SplitSpec(parties=parties, channels=(4, 8), party_levels=1, orientation="horizontal")
    view = rehearse(split=shared).view("curious-server")
    assert {target.victim for target in view.targets} == {"a", "b"}


def test_what_cannot_be_rehearsed_is_refused_with_what_there_is() -> None:
    rehearsal = rehearse()
    with pytest.raises(UnknownNameError, match="curious-server"):
        rehearsal.view("curious-sever")
    view = rehearsal.view("curious-server", "identity")
    with pytest.raises(ConfigurationError, match="images and masks"):
        rehearsal.advantage(view, dict.fromkeys(view.targets, Guess(torch.zeros(1), 1)))
    with pytest.raises(ConfigurationError, match="two dimensions"):
        rehearse(split=SplitSpec(parties=rehearsal.split.parties, dimensions=3))
    blind = Adversary(name="nobody", position="server")
    with pytest.raises(NotMountableError, match="granted"):
        rehearsal.view(blind).auxiliary_images("south")
