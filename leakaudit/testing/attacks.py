"""What holds for every attack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import get_args

import torch
from torch import Tensor, nn

from leakaudit.errors import ContractError, NotMountableError
from leakaudit.rehearsal import rehearse
from leakaudit.testing.luck import elsewhere, left_alone
from leakaudit.testing.settings import check_settings
from leakaudit.threat.attack import Attack, Criterion, Guess, Guesses
from leakaudit.threat.knowledge import NOTHING, Adversary
from leakaudit.threat.target import Asset, Target
from leakaudit.threat.view import View

_SAID = ("needs", "asset", "criterion", "family", "source")


def check_attack(
    attack: Attack, view: View | None = None, *, seed: int = 0, free: Collection[str] = ()
) -> Guesses:
    """Hold an attack to what an audit relies on.

    Its settings are described and bounded, and its repr builds it again; it says what it needs and
    is refused without any of it; the same seed gives the same guesses, whatever the process drew
    before; the view and the generators that all share are left as they are; every target is
    answered, in range, by rising effort. It is mounted three times.

    Args:
        attack: under settings that let it end soon.
        view: what to mount it on; of a :func:`leakaudit.rehearse` where not given. An active attack
            needs one of a training that it took part in.
        seed: of the attack.
        free: settings that take any number, or any text.

    Returns:
        What it guessed.

    Raises:
        ContractError: a rule is broken; it says which.

    Example:
        >>> from leakaudit.testing import check_attack
        >>> from leakaudit.attacks.re_identification import ReIdentification
        >>> guesses = check_attack(ReIdentification())
        >>> [target.asset for target in guesses]
        ['identity', 'identity']
    """
    name = type(attack).__name__
    check_settings(attack, free)
    _check_said(attack)
    view = _rehearsed(attack) if view is None else view
    for kind in attack.required:
        _check_refuses(attack, replace(view, knowledge=view.knowledge & ~kind), kind.words[0])
    everything = list(_tensors(view, set()))
    before = [tensor.clone() for tensor in everything]
    with left_alone(name):
        guesses = attack(view, seed)
    if not all(torch.equal(now, then) for now, then in zip(everything, before, strict=True)):
        raise ContractError(
            "an attack leaves what it is shown as it is",
            found=f"{name} wrote on a tensor of its view",
            remedy="clone a tensor before changing it in place",
        )
    _check_answers(attack, view, guesses)
    with elsewhere(seed + 1):
        again = attack(view, seed)
    if not all(torch.equal(guesses[each].values, again[each].values) for each in guesses):
        raise ContractError(
            "the same seed gives the same guesses", found=f"{name} guessed otherwise",
            remedy="draw everything from `rng`, and go through nothing without an order",
        )  # fmt: skip
    try:
        attack(replace(view, knowledge=attack.required), seed)
    except NotMountableError as problem:
        raise ContractError(
            "an attack's `needs` name all that it needs", found=f"{name}: {problem}",
            remedy="add it to `needs`, or look at `view.knowledge` before asking for it",
        ) from None  # fmt: skip
    return guesses


def _check_said(attack: Attack) -> None:
    for said in _SAID:
        if not hasattr(type(attack), said):
            raise ContractError(
                f"an attack says its `{said}`", found=f"{type(attack).__name__} does not",
                remedy="set it in the class; the report names it",
            )  # fmt: skip
    if attack.criterion not in get_args(Criterion) or attack.asset not in get_args(Asset):
        raise ContractError(
            f"a criterion is one of {get_args(Criterion)}, an asset one of {get_args(Asset)}",
            found=f"{attack.criterion!r} and {attack.asset!r}",
        )


def _rehearsed(attack: Attack) -> View:
    """A view of a server that is granted everything, or of the first party if it takes one."""
    if attack.behaviour == "active":
        raise ContractError(
            "an active attack is tried on a training that it took part in",
            found=type(attack).__name__,
            remedy="give `check_attack` a view of one",
        )
    rehearsal = rehearse()
    grants = (~NOTHING).words
    for where in (
        {"position": "server"},
        {"position": "party", "members": rehearsal.split.party_names[:1]},
    ):
        kept = tuple(word for word in grants if word not in ("own-images", "labels"))
        view = rehearsal.view(
            Adversary.model_validate({"name": "somebody", "grants": kept, **where}), attack.asset
        )
        if view.targets and not attack.missing(view):
            return view
    raise ContractError(
        "an attack needs nothing that no adversary has",
        found=f"{type(attack).__name__} needs {', '.join(attack.required.words)}",
    )


def _check_refuses(attack: Attack, view: View, lacking: str) -> None:
    try:
        attack(view, 0)
    except NotMountableError as problem:
        if lacking in str(problem):
            return
        raise ContractError(
            "a refusal names what is lacking", found=str(problem), remedy=f"name {lacking!r}"
        ) from None
    raise ContractError(
        "an attack is refused by an adversary who lacks what it needs",
        found=f"{type(attack).__name__} ran without {lacking}",
        remedy="leave `__call__` and `missing` of Attack as they are",
    )


def _check_answers(attack: Attack, view: View, guesses: Guesses) -> None:
    if set(guesses) != set(view.targets):
        raise ContractError(
            "every target of the view is answered, and no other",
            found=f"{len(guesses)} answers to {len(view.targets)} targets",
        )
    for target, guess in guesses.items():
        where = f"{type(attack).__name__}, {target.asset} of {target.victim}"
        rows = _rows(view, target, guess)
        if len(guess.values) != rows:
            raise ContractError(
                "a guess has one row per sample, or per candidate of a membership",
                found=f"{where}: {len(guess.values)} for {rows}",
            )
        if guess.values.dtype != torch.float32:
            raise ContractError(
                "guesses are single precision", found=f"{where}: {guess.values.dtype}"
            )
        least, most = guess.values.min().item(), guess.values.max().item()
        if not 0 <= least <= most <= 1:
            raise ContractError(
                "guesses lie in [0, 1]",
                found=f"{where}: {least:.3g} to {most:.3g}",
                remedy="clamp images; turn scores into shares",
            )
        spent = [*(point.effort for point in guess.trail), guess.effort]
        if spent != sorted(set(spent)):
            raise ContractError(
                "the points of an effort curve rise", found=f"{where}: {spent}",
                remedy="keep earlier guesses in `trail`, the last one in `values`",
            )  # fmt: skip
        if any(point.values.shape != guess.values.shape for point in guess.trail):
            raise ContractError(
                "all points of an effort curve are guesses of the same thing", found=where
            )


def _rows(view: View, target: Target, guess: Guess) -> int:
    if target.asset == "membership":
        return len(view.candidate_images(target.victim))
    return len(view) if guess.rows is None else len(guess.rows)


def _tensors(value: object, seen: set[int]) -> Iterator[Tensor]:
    """Every tensor that can be reached from a value, weights of networks included."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        yield value.detach()
    elif isinstance(value, nn.Module):
        yield from (each.detach() for each in value.state_dict().values())
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each, seen)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each, seen)
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _tensors(getattr(value, one.name), seen)
    elif type(value).__module__.partition(".")[0] not in ("builtins", "torch", "numpy"):
        yield from _tensors(getattr(value, "__dict__", {}), seen)
