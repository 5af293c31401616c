"""Section 3: the split and what crosses in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leakaudit.record import SERVER, Cost, Route, SplitSummary
from leakaudit.record.cuts import cuts_text

from .._figures.dataflow import PartyBox, data_flow
from .blocks import Block, Figure, Paragraph, Rich, Section, Terms, say
from .evidence_index import Index
from .governance import governance
from .messages import messages, shape_text
from .wording import count, joined, size


def split_section(index: Index) -> Section:
    """Parties, cuts, messages with shapes and bytes, labels, epochs."""
    record = index.record
    split = record.split
    labels = "the server" if split.labels_at == SERVER else f"party {split.labels_at}"
    shared = {
        "vertical": "the parties hold different images of the same patients",
        "horizontal": "the parties hold the same kinds of image of different patients; "
        "after every epoch each sends the change of its encoder to the server, which sees it "
        "before averaging, and every party gets the averaged encoder. The server takes one step on "
        "the mean over all parties' batches (SplitFedV1)",
    }[split.orientation]
    blocks: list[Block] = [
        Paragraph(
            say(
                f"The split is {split.orientation}: {shared}. Each party runs {_runs(split)} and "
                f"sends feature maps to the server, which runs {_rest(split)}"
            )
        )
    ]
    cost = _cost(index)
    if cost is not None:
        blocks.append(_diagram(index, cost))
    blocks.append(
        Terms(
            (
                *_crossing(split),
                ("Labels", say(f"held by {labels}")),
                ("Training", say(count(split.epochs, "epoch"))),
                (
                    "Epochs whose messages were kept for the attacks",
                    say(", ".join(map(str, split.recorded_epochs)) or "none"),
                ),
                ("Weights at the server", say(_weights(split.server_parameters))),
            )
        )
    )
    if record.costs:
        blocks.append(messages(index))
    blocks += governance(record.governance)
    return Section("3", "The split and its data flow", tuple(blocks))


def _runs(split: SplitSummary) -> str:
    if split.network is None:
        levels = count(split.party_levels, "level")
        return f"the first {levels} of a {split.dimensions}-D U-Net encoder"
    return f"the first part of {split.network}, {split.dimensions}-D, with weights of its own"


def _rest(split: SplitSummary) -> str:
    if split.labels_at == SERVER:
        return "the rest; gradients come back."
    return (
        f"what lies between and sends the last features to {split.labels_at}. There, beside the "
        "labels, the last layers (the head) run; gradients go the opposite ways."
    )


def _crossing(split: SplitSummary) -> Iterator[tuple[str, Rich]]:
    """What crosses where."""
    if split.network is None:
        yield "Channels per level", say(", ".join(map(str, split.channels)))
    if split.mixes:
        yield (
            "Patients of a batch",
            say(
                "in training, what is sent for one depends on the others (batch norm, say): no "
                "formal claim about single patients holds"
            ),
        )
    for cut in split.cuts:
        shapes = dict.fromkeys(shape_text(each) for each in cut.shapes.values())
        yield f"Sent at {cuts_text([cut.name])}", say(", ".join(shapes))


def _cost(index: Index) -> Cost | None:
    costs = index.record.costs
    return next((c for c in costs if c.setting == index.undefended), costs[0] if costs else None)


def _weights(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _diagram(index: Index, cost: Cost) -> Figure:
    split = index.record.split
    boxes = []
    for party in split.parties:
        outward = [r for r in cost.routes if r.sender == party.name]
        inward = [r for r in cost.routes if r.receiver == party.name]
        notes = [f"holds {joined(party.modalities)}", f"{_weights(party.parameters)} weights"]
        if split.labels_at == party.name:
            notes.append("holds the labels")
        boxes.append(
            PartyBox(
                party.name,
                tuple(notes),
                _stream(index, outward, "sends features", "and gradients of the head"),
                _stream(
                    index, inward, "is sent gradients", "and features for the head", shapes=False
                ),
            )
        )
    server = [f"{_weights(split.server_parameters)} weights"]
    if split.labels_at == SERVER:
        server.append("holds the labels")
    told = "; ".join(
        f"{box.name} {box.notes[0]}, {', '.join(box.outward) or 'sends nothing'}, "
        f"{', '.join(box.inward) or 'is sent nothing'}"
        for box in boxes
    )
    text = (
        f"{count(len(boxes), 'party', 'parties')} on the left, the server ({', '.join(server)}) on "
        f"the right. {told}. The table below has every message."
    )
    return Figure(
        "data-flow",
        say(
            "What crosses, per patient and epoch, with ",
            index.title(cost.setting),
            ". Shapes are channels by space of one sample.",
        ),
        data_flow("Data flow of the split", boxes, server),
        text,
    )


def _stream(
    index: Index, routes: Sequence[Route], verb: str, of_head: str, *, shapes: bool = True
) -> tuple[str, ...]:
    if not routes:
        return ()
    if any(route.at_head for route in routes):
        verb = f"{verb} {of_head}"
    pieces = [f"{verb}: {size(sum(r.bytes_per_patient for r in routes))} per patient, epoch"]
    ordered = sorted(routes, key=lambda route: (route.at_head, index.depth(route.cut)))
    pieces += [f"{route.cut}: {shape_text(route.shape)}" for route in ordered if shapes]
    return tuple(pieces)
