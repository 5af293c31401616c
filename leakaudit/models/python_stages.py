"""A network from a function of the user's own, which returns its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.models.imported import imported
from leakaudit.models.model import Model, ReceivedShapes, Stage
from leakaudit.split.spec import SERVER, SplitSpec

IMAGES = "images"


class PythonStages(Model):
    """Stages from a function, named `package.module:function`.

    The function is called as ``function(split, regions, space, **arguments)`` and returns
    :class:`leakaudit.models.Stage` objects: one per party, which takes ``images``; one or more at
    the server; and, where a party holds the labels, one there that takes the last features.
    """

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description="where the function is: package.module:function"
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments passed to the function"
    )

    def encoder(self, split: SplitSpec, party: str, space: tuple[int, ...]) -> nn.Module:
        """The party's stage."""
        return _Encoder(self._ordered(split, 1, space).parties[party])

    def server(
        self, split: SplitSpec, received: ReceivedShapes, regions: int, space: tuple[int, ...]
    ) -> nn.Module:
        """The server's stages, one after the other."""
        order = self._ordered(split, regions, space)
        wanted = {} if split.cuts is None else dict(enumerate(split.cuts))
        widths = {
            number: [
                (shape[0], wanted[number].shapes[place][0] if number in wanted else shape[0])
                for place, shape in enumerate(shapes)
            ]
            for number, shapes in received.items()
        }
        # In a horizontal split one party at a time sends, and all send alike.
        names = split.party_names[:1] if split.orientation == "horizontal" else split.party_names
        return _Server(order, names, widths, len(space))

    def head(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> nn.Module:
        """The label holder's last stage; nothing where the server runs all of it."""
        head = self._ordered(split, regions, space).head
        return nn.Identity() if head is None else _Head(head.module)

    def _ordered(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> StageOrder:
        function = imported(self.function, "model.function")
        try:
            stages = tuple(function(split, regions, space, **self.arguments))
        except ConfigurationError:
            raise
        except Exception as problem:
            raise ConfigurationError(
                "model.function must return the stages",
                found=f"{self.function}: {type(problem).__name__}: {problem}",
                remedy="it is called as function(split, regions, space, **model.arguments)",
            ) from None
        return StageOrder.of(stages, split)


@dataclass(frozen=True, eq=False)
class StageOrder:
    """Stages, sorted by where they run.

    Attributes:
        parties: party to its stage.
        server: in the order in which they run.
        head: the label holder's last stage; None where the server runs all.
    """

    parties: Mapping[str, Stage]
    server: Sequence[Stage]
    head: Stage | None

    @classmethod
    def of(cls, stages: Sequence[Stage], split: SplitSpec) -> StageOrder:
        """Sort them.

        Raises:
            ConfigurationError: they do not make a split of this shape, with the reason.
        """
        _check_owners(stages, split)
        _check_names(stages)
        first = _first_stages(stages, split)
        order = _in_order(
            [stage for stage in stages if stage.owner == SERVER],
            {name for stage in first.values() for name in stage.gives},
        )
        others = [each for each in stages if each.owner != SERVER and each not in first.values()]
        return cls(first, order, _last_stage(others, order[-1], split))


def _check_owners(stages: Sequence[Stage], split: SplitSpec) -> None:
    for stage in stages:
        if not isinstance(stage, Stage):
            raise ConfigurationError(
                "a model's function returns leakaudit.models.Stage objects",
                found=type(stage).__name__,
                remedy="wrap each network: Stage(owner, module, takes, gives)",
            )
        if stage.owner not in (*split.party_names, SERVER):
            raise ConfigurationError(
                "a stage stands at a party or at the server",
                found=repr(stage.owner),
                remedy=f"owners here: {', '.join((*split.party_names, SERVER))}",
            )


def _check_names(stages: Sequence[Stage]) -> None:
    given = [name for stage in stages for name in stage.gives]
    twice = sorted({name for name in given if given.count(name) > 1 or name == IMAGES})
    if twice:
        raise ConfigurationError(
            "every tensor has a name of its own",
            found=f"{twice[0]} given by two stages" if twice[0] != IMAGES
            else "a stage that gives `images`",
            remedy="put the party's name into the names of what it gives",
        )  # fmt: skip


def _first_stages(stages: Sequence[Stage], split: SplitSpec) -> dict[str, Stage]:
    """Party to the stage that takes its images."""
    first: dict[str, Stage] = {}
    for name in split.party_names:
        own = [stage for stage in stages if stage.owner == name and stage.takes == (IMAGES,)]
        if len(own) != 1:
            raise ConfigurationError(
                "every party has one stage that takes `images` alone",
                found=f"{len(own)} at {name}",
                remedy="put what runs there into one module",
            )
        first[name] = own[0]
    counts = {len(stage.gives) for stage in first.values()}
    if len(counts) > 1 or 0 in counts:
        raise ConfigurationError(
            "every party sends the same number of tensors, at least one",
            found=", ".join(f"{name}: {len(each.gives)}" for name, each in first.items()),
            remedy="send one tensor per cut from each",
        )
    return first


def _in_order(stages: Sequence[Stage], known: set[str]) -> list[Stage]:
    """The server's stages, each behind those whose tensors it takes."""
    order: list[Stage] = []
    waiting = list(stages)
    while waiting:
        ready = [stage for stage in waiting if set(stage.takes) <= known]
        if not ready:
            missing = sorted(set(waiting[0].takes) - known)
            circular = missing[0] in {name for stage in waiting for name in stage.gives}
            raise ConfigurationError(
                "every stage takes what is given before it",
                found=f"{missing[0]}, which "
                + ("the stages hand round in a circle" if circular else "no stage gives"),
                remedy="take names that a party or an earlier stage at the server gives",
            )
        for stage in ready:
            order.append(stage)
            known |= set(stage.gives)
            waiting.remove(stage)
    if not order or len(order[-1].gives) != 1:
        raise ConfigurationError(
            "the server runs at least one stage, and the last gives one tensor",
            found="none" if not order else ", ".join(order[-1].gives),
            remedy="give the last features (or the logits) under one name",
        )
    return order


def _last_stage(others: Sequence[Stage], before: Stage, split: SplitSpec) -> Stage | None:
    """The label holder's stage behind the server; None where the labels are there."""
    if split.labels_at != SERVER and not others:
        raise ConfigurationError(
            "where a party holds the labels, it runs the last stage",
            found=f"labels at {split.labels_at}, and no stage there but the first",
            remedy="add a stage with that owner that takes the last features",
        )
    if not others:
        return None
    last, *more = others
    if more or last.owner != split.labels_at or len(last.takes) != 1:
        raise ConfigurationError(
            "behind the server only the label holder runs a stage, which takes one tensor",
            found=", ".join(f"{each.owner} takes {', '.join(each.takes)}" for each in others),
            remedy="set split.labels_at to that party, and run the rest at the server",
        )
    if last.takes != before.gives:
        raise ConfigurationError(
            "the label holder's stage takes what the server's last stage gives",
            found=f"{last.takes[0]}; given: {before.gives[0]}",
            remedy="use one name for both",
        )
    return last


class _Encoder(nn.Module):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.module = stage.module
        self._gives = stage.gives

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Cut to what is sent."""
        sent = self.module(images)
        return dict(enumerate(named_outputs(sent, self._gives).values()))


class _Server(nn.Module):
    def __init__(
        self,
        order: StageOrder,
        names: Sequence[str],
        widths: Mapping[int, Sequence[tuple[int, int]]],
        dimensions: int,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stage.module for stage in order.server)
        self._takes = [(stage.takes, stage.gives) for stage in order.server]
        self._gives = [order.parties[name].gives for name in names]
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        # A defense may have narrowed what is sent: the stages get the width they were made for.
        self.widen = nn.ModuleDict(
            {
                f"{number}_{place}": conv(comes, wanted, 1)
                for number, each in widths.items()
                for place, (comes, wanted) in enumerate(each)
                if comes != wanted
            }
        )

    def forward(self, received: Sequence[Mapping[int, Tensor]], space: tuple[int, ...]) -> Any:
        """The last features, or the output."""
        del space
        known: dict[str, Any] = {}
        for place, (names, features) in enumerate(zip(self._gives, received, strict=True)):
            for number, name in enumerate(names):
                key = f"{number}_{place}"
                tensor = features[number]
                # A copy: what a stage changes in place must not be the message itself.
                known[name] = self.widen[key](tensor) if key in self.widen else tensor.clone()
        last: Any = None
        for module, (takes, gives) in zip(self.stages, self._takes, strict=True):
            output = module(*(known[name] for name in takes))
            # The output of the network may be several resolutions under one name.
            last = output
            known |= {gives[0]: output} if len(gives) == 1 else named_outputs(output, gives)
        return last


class _Head(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, last: Tensor) -> Any:
        """The output."""
        return self.module(last.clone())


def named_outputs(output: Any, names: Sequence[str]) -> dict[str, Tensor]:
    """A stage's outputs by name.

    Raises:
        ConfigurationError: other than one tensor per name.
    """
    tensors = (output,) if isinstance(output, Tensor) else output
    right = isinstance(tensors, tuple | list) and len(tensors) == len(names)
    if not right or not all(isinstance(each, torch.Tensor) for each in tensors):
        raise ConfigurationError(
            "a stage gives one tensor per name",
            found=f"{type(output).__name__} for {', '.join(names)}",
            remedy="return the tensors as a tuple, in the order of `gives`",
        )
    return dict(zip(names, tensors, strict=True))
