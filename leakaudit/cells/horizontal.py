"""Attacks on a horizontal split: each party holds other patients, so each is attacked by itself."""

from __future__ import annotations

from dataclasses import replace

import torch

from leakaudit.cells.lineup import Lineup
from leakaudit.errors import NotMountableError
from leakaudit.threat.attack import Attack, Guess, Guesses
from leakaudit.threat.target import Asset, Target
from leakaudit.threat.view import View
from leakaudit.trace.reader import TraceReader

_BY_SAMPLE: tuple[Asset, ...] = ("images", "identity")


def attack_each_party(
    attack: Attack, view: View, reader: TraceReader, lineup: Lineup, seed: int, *, shuffled: bool
) -> Guesses:
    """Mount an attack on one party after another, through the messages of its own patients.

    Args:
        attack: guesses images or identities, one row per sample.
        view: of all attacked samples.
        reader: the recorded training; it says who holds which sample.
        lineup: the attacked samples, in the view's order.
        seed: of the attack, and of shuffling.
        shuffled: hand messages to other patients of the same party: the negative control.

    Raises:
        NotMountableError: an attack of another kind; or one that cannot be mounted on a party.
    """
    if attack.asset not in _BY_SAMPLE:
        raise NotMountableError(
            "in a horizontal split every party is attacked through its own patients",
            found=f"an attack on {attack.asset}, which speaks of all patients together",
            remedy="mount attacks on images or identities",
        )
    guesses: dict[Target, Guess] = {}
    for victim in dict.fromkeys(target.victim for target in view.targets):
        held = reader.held_by(victim)
        rows = torch.tensor([row for row, s in enumerate(lineup.attacked.tolist()) if s in held])
        if not len(rows):
            continue
        part = view.of(
            tuple(target for target in view.targets if target.victim == victim),
            rows,
            reader.exchange([int(lineup.attacked[row]) for row in rows.tolist()]),
        )
        if shuffled:
            part = part.shuffled(torch.Generator().manual_seed(seed))
        for target, guess in attack(part, seed).items():
            kept = rows if guess.rows is None else rows[guess.rows]
            guesses[target] = replace(guess, rows=kept)
    if not guesses:
        raise NotMountableError("an attack needs a victim with attacked patients", found="none")
    return guesses
