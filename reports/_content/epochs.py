"""From which recorded epochs the attacks read."""

from __future__ import annotations

from .blocks import Block, Paragraph, say
from .evidence_index import Index, Question
from .wording import joined


def epochs_read(index: Index, question: Question) -> list[Block]:
    """One sentence per question, where several epochs were recorded and an attack says which."""
    recorded = index.record.split.recorded_epochs
    read: dict[str, set[int]] = {}
    for finding in index.record.findings:
        asked = finding.adversary == question.adversary.name and finding.asset == question.asset
        if asked and finding.epochs:
            read.setdefault(finding.defense, set()).update(finding.epochs)
    if len(recorded) < 2 or not read:
        return []
    told = "; ".join(f"{label}: {_listed(epochs)}" for label, epochs in read.items())
    text = (
        f"Epochs {_listed(recorded)} were recorded, counted from 0. Attacks read those that tell "
        f"most of auxiliary patients, or all together; over victims, cuts and seeds: {told}."
    )
    return [Paragraph(say(text))]


def _listed(epochs: set[int] | tuple[int, ...]) -> str:
    return joined([str(each) for each in sorted(epochs)])
