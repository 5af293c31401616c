"""What a trace does not take: messages that nobody could attack, or say whose they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from leakaudit.errors import LeakauditError, TraceError
from leakaudit.exchange.message import Cut, Message
from leakaudit.split.spec import OWN, SERVER
from leakaudit.trace.description import TraceDescription
from leakaudit.trace.places import BLANK

# Attacks solve systems of as many equations as one position has channels.
_MOST_AT_ONE_POSITION = 4096


def check_message(
    message: Message, description: TraceDescription, known: Collection[int], *, asked: bool
) -> None:
    """Hold a message against the run it is of.

    Args:
        message: as it crossed.
        description: of the run.
        known: its training samples.
        asked: whether it answers a query, which may be about anybody, or about a blank image.

    Raises:
        TraceError: rows without ids, unknown samples, a sender or level that the split does not
            have; of a job's own network also values that are not finite, or a shape without a grid.
    """
    route, tensor = message.route, message.tensor
    where = f"from {route.sender} to {route.receiver}, epoch {message.epoch}, step {message.step}"
    ids = message.samples.tolist()
    rows = len(tensor) if tensor.ndim else 0
    if not ids or rows != len(ids):
        raise TraceError(
            "every row of a message must have the id of its sample",
            found=f"{rows} rows and {len(ids)} ids {where}",
            remedy="say which samples a batch holds before it crosses",
        )
    unknown = [each for each in ids if each < BLANK] if asked else sorted(set(ids) - set(known))
    if unknown:
        raise TraceError(
            "messages must be of samples that the description lists",
            found=f"sample {unknown[0]} {where} ({len(unknown)} unknown)",
            remedy="translate the job's own keys to samples of the cohort; evaluate outside of "
            "what is recorded",
        )
    split = description.split
    ends = {route.sender, route.receiver} - {SERVER}
    if len(ends) != 1 or not ends <= set(split.party_names):
        raise TraceError(
            "a message must cross between the server and a party of the split",
            found=where,
            remedy=f"name one of {', '.join(split.party_names)}",
        )
    crossing = split.crossing if split.is_reference and description.network != "own" else None
    if crossing is not None and route.cut is Cut.ENCODER and route.level not in crossing:
        raise TraceError(
            "only what the split sends can cross",
            found=f"{split.cut_name(route.level)} {where}",
            remedy=f"cuts of this split: {', '.join(split.cut_names)}",
        )
    if description.network == "own":
        measured = split.model.use == OWN  # nobody said what its messages look like
        _check_own(message, len(description.space) if measured else None, where)


def _check_own(message: Message, dimensions: int | None, where: str) -> None:
    """A job's own network may send anything: what no attack could read is refused here."""
    tensor = message.tensor
    if dimensions is not None and tensor.ndim != 2 + dimensions:
        raise TraceError(
            f"a message must be (n, channels, *grid) with {dimensions} axes of grid",
            found=f"{tuple(tensor.shape)} {where}",
            remedy="state the shape it is unfolded to, such as Crossing(..., shape=(16, 24, 24)); "
            "(512, 1, 1) for features of no grid",
        )
    channels = tensor.shape[1] if tensor.ndim > 1 else 0
    if channels > _MOST_AT_ONE_POSITION and tensor[0, 0].numel() == 1:
        raise TraceError(
            f"a single position must have at most {_MOST_AT_ONE_POSITION} channels",
            found=f"{tuple(tensor.shape)} {where}",
            remedy="state the grid that was flattened, such as Crossing(..., shape=(16, 24, 24))",
        )
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        broken = int((~torch.isfinite(tensor)).sum())
        raise TraceError(
            "messages must be finite",
            found=f"{broken} values that are not, {where}",
            remedy="mend what made them, or record an epoch without them",
        )


def check_epoch(
    epoch: int, crossed: Mapping[str, Mapping[int, tuple[int, ...]]], expected: Collection[str],
    *, aligned: bool,
) -> None:  # fmt: skip
    """Before an epoch of a job is sealed: every site was there, and all of them with the same rows.

    Args:
        epoch: of training.
        crossed: party to step to the samples that it sent features of.
        expected: parties that were to be recorded.
        aligned: whether all of them hold the same patients.

    Raises:
        TraceError: a party sent nothing, or other samples in some step than another.
    """
    absent = sorted(set(expected) - set(crossed))
    if absent:
        raise TraceError(
            "every site that is recorded must send something in a recorded epoch",
            found=f"nothing of {', '.join(absent)} in epoch {epoch}",
            remedy="record the messages of that site, or name in `recorded_at` those that are",
        )
    first, *others = crossed if aligned else list(crossed)[:1]
    for other in others:
        for step, samples in crossed[first].items():
            if crossed[other].get(step) != samples:
                raise TraceError(
                    "all sites must send the same samples in the same rows of a step",
                    found=f"{_few(samples)} of {first}, "
                    f"{_few(crossed[other].get(step, ()))} of {other} in epoch {epoch}, "
                    f"step {step}",
                    remedy="align the sites by the ids of their samples",
                )


def _few(samples: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, samples[:4]))
    return f"samples {shown}{', ...' if len(samples) > 4 else ''}" if samples else "nothing"


def in_words(problem: LeakauditError) -> str:
    """Why a recording stopped, short enough to stand in its description."""
    return str(problem)[:2000]
