"""Pictures chosen by rule, or, where patients may not be shown, why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakaudit.record import Picture

from .blocks import Block, Callout, Gallery, Paragraph, Shot, muted, say
from .evidence_index import Index, actor, target
from .wording import number

ROWS = {
    "worst": "worst: leaks most",
    "p95": "95th percentile",
    "median": "median",
    "best": "best: leaks least",
}


def gallery(index: Index, shots: dict[str, bytes]) -> list[Block]:
    """One gallery per attack and setting that has pictures."""
    record = index.record
    if not record.cohort.shareable:
        return [
            Callout(
                "No pictures",
                say(
                    "The data are not marked as shareable, so no picture of a patient, true or "
                    "rebuilt, appears here or anywhere beside this report. The numbers above are "
                    "complete; whoever holds the data can look at pictures where the data are."
                ),
            )
        ]
    if not record.pictures:
        return [Paragraph(say("The data are shareable, but this audit kept no pictures."))]
    lost = [picture for picture in record.pictures if picture.file not in shots]
    blocks: list[Block] = []
    if lost:
        blocks.append(
            Callout(
                "Pictures left out",
                say(
                    f"{len(lost)} of {len(record.pictures)} pictures are missing beside the "
                    f"record, "
                    "differ from what the record says of them, or would make this file too large."
                ),
                "caution",
            )
        )
    groups: dict[tuple[str, ...], list[Picture]] = {}
    for picture in record.pictures:
        key = (picture.adversary, picture.asset, picture.victim, picture.attack, picture.defense)
        groups.setdefault(key, []).append(picture)
    for number_, pictures in enumerate(groups.values()):
        drawn = _one(index, pictures, shots, f"gallery-{number_}", list(ROWS))
        if drawn is not None:
            blocks.append(replace(drawn, screen_only=not _on_paper(index, pictures[0])))
    if any(isinstance(block, Gallery) and block.screen_only for block in blocks):
        blocks.append(
            Paragraph(
                say(
                    muted(
                        "On paper only the victim that leaks most without a defense is shown; "
                        "report.html shows every victim."
                    )
                )
            )
        )
    return blocks


def _on_paper(index: Index, picture: Picture) -> bool:
    """Whether the picture is of the victim that leaks most without a defense."""
    for question in index.questions:
        if (question.adversary.name, question.asset) == (picture.adversary, picture.asset):
            worst = index.worst(question, index.undefended or picture.defense)
            return worst is None or worst.victim == picture.victim
    return True


def worst_row(index: Index, shots: dict[str, bytes]) -> Gallery | None:
    """The worst patient under the undefended split, for page one."""
    if not index.record.cohort.shareable:
        return None
    for question in index.questions:
        chosen = [
            picture
            for picture in index.record.pictures
            if picture.adversary == question.adversary.name
            and picture.row == "worst"
            and picture.defense == index.undefended
        ]
        chosen = [picture for picture in chosen if picture.victim == chosen[0].victim]
        if chosen:
            return _one(index, chosen, shots, "gallery-page-one", ["worst"])
    return None


def _one(
    index: Index,
    pictures: Sequence[Picture],
    shots: dict[str, bytes],
    key: str,
    rows: Sequence[str],
) -> Gallery | None:
    first = pictures[0]
    columns = tuple(dict.fromkeys(picture.column for picture in pictures))
    drawn = []
    for row in rows:
        cells = tuple(
            next(
                (
                    _shot(picture, shots[picture.file])
                    for picture in pictures
                    if (picture.row, picture.column) == (row, column) and picture.file in shots
                ),
                None,
            )
            for column in columns
        )
        if any(cells):
            drawn.append((ROWS[row], cells))
    if not drawn:
        return None
    who = next((actor(a) for a in index.record.adversaries if a.name == first.adversary), "Actor")
    measure = "Dice" if first.asset == "masks" else "SSIM"
    return Gallery(
        key,
        say(
            f"{who}, {target(first.asset, first.victim)}, {first.attack}, "
            f"{index.title(first.defense)}. Rows are chosen by rule, not by eye. Under each "
            f"picture: {measure} against the truth. Blind is made without the messages; the decoy "
            "is another patient."
        ),
        columns,
        tuple(drawn),
    )


def _shot(picture: Picture, png: bytes) -> Shot:
    value = "" if picture.value is None else number(picture.value)
    return Shot(
        png,
        f"{picture.column} of patient {picture.patient}, {ROWS[picture.row]}"
        + (f", {value} against the truth" if value else ""),
        picture.column,
        value,
    )
