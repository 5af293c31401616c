"""The threat model in the words of NIST AI 100-2 (2025), by printed rules."""

from __future__ import annotations

from leakaudit.record import AdversarySummary, Asset

OBJECTIVE: dict[Asset, str] = {
    "images": "data reconstruction",
    "masks": "data reconstruction (of labels)",
    "identity": "re-identification by linking; NIST AI 100-2 has no class of its own for it",
    "membership": "membership inference",
    "attribute": "attribute inference",
}
"""What the attacker wants, all of them privacy compromises."""
MEANING = {
    "activations": "the features that parties send",
    "gradients": "the gradients sent back",
    "labels": "the lesion masks of the attacked patients",
    "own-images": "its own images of the same patients",
    "architecture": "how the encoders are built",
    "queries": "may send images of its own through an encoder",
    "encoder-weights": "the encoders' weights",
    "server-weights": "the server's weights",
    "weight-updates": "the encoders' weight updates",
    "auxiliary-images": "images of other patients",
    "auxiliary-labels": "lesion masks of other patients",
    "candidate-images": "images of named people",
    "candidate-labels": "lesion masks drawn on these images",
}
"""Kinds of knowledge in plain words; others are printed as the record writes them."""
WHITE = frozenset({"encoder-weights", "weight-updates"})
GREY = frozenset({"architecture", "server-weights"})
RULE = (
    "White-box: knows the attacked encoder's weights or their updates. Grey-box: knows how the "
    "encoder is built, or the server's weights. Black-box: neither."
)
UNCOVERED = (
    ("server", "The server", "no adversary of this audit sits there"),
    ("party", "A curious party", "no adversary of this audit sits there"),
    ("wire", "Someone on the wire", "no adversary of this audit taps a link; where links are not "
     "encrypted, what the server sees is seen there too"),
    ("coalition", "Parties or server that collude", "no adversary of this audit joins views; "
     "together they know at least what each knows"),
)  # fmt: skip
FINISHED = (
    "The finished network",
    "what it gives away once it is shared is a question of its own: only what these "
    "actors see of the training was attacked",
)
ALWAYS_OUT = (
    (
        "Integrity and availability",
        "poisoning and sabotage change what the network does, not what it reveals",
    ),
    (
        "The computers themselves",
        "break-ins, stolen disks and careless copies are for information security",
    ),
    (
        "Other data about the same people",
        "re-identification through data that no attack here was given depends on who holds what",
    ),
)


def access(adversary: AdversarySummary) -> str:
    """White, grey or black box, by :data:`RULE`."""
    known = set(adversary.knowledge)
    if known & WHITE:
        return "white-box"
    return "grey-box" if known & GREY else "black-box"


def in_words(knowledge: str) -> str:
    """One kind of knowledge for readers."""
    return MEANING.get(knowledge, knowledge)


def out_of_scope(
    adversaries: tuple[AdversarySummary, ...], *, released: bool
) -> list[tuple[str, str]]:
    """What this audit says nothing about, and why.

    Args:
        adversaries: who attacks.
        released: whether the finished network was asked who was in its training.
    """
    covered = {adversary.position for adversary in adversaries}
    found = [(who, why) for position, who, why in UNCOVERED if position not in covered]
    if all(adversary.behaviour == "passive" for adversary in adversaries):
        found.append(
            (
                "Actors who break the protocol",
                "every adversary here follows it and only looks; one who deviates may learn more",
            )
        )
    return [*found, *(() if released else (FINISHED,)), *ALWAYS_OUT]
