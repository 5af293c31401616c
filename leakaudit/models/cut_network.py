"""Any network, by its import path, cut after named submodules."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.utils import _pytree as tree

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.models.fusion import CutEncoder, CutHead, CutServer, Fusion
from leakaudit.models.imported import imported
from leakaudit.models.model import Model, ReceivedShapes
from leakaudit.models.parts import Call, PartialNetwork, depend, watch
from leakaudit.models.wire import Layout
from leakaudit.split.spec import SERVER, SplitSpec

# Decoder inversion reads each, undefended: tests/models/test_every_attack.py.
_READ = frozenset(
    (
        *(f"monai.networks.nets:{name}"
          for name in ("AttentionUnet", "DynUNet", "SegResNet", "SwinUNETR", "UNet")),
        *(f"dynamic_network_architectures.architectures.unet:{name}"
          for name in ("PlainConvUNet", "ResidualEncoderUNet")),
    )
)  # fmt: skip
_PATH = r"^[\w.]+:[\w.]+$"


class CutNetwork(Model):
    """A network of somebody's, cut at submodules: what comes before runs at every party.

    Every party gets a copy of the first part for its own modalities, with weights of its own; the
    server fuses what they send at each cut. Nothing is traced: a network that runs can be cut.
    """

    network: str = Field(pattern=_PATH, description="the class or function: package.module:Name")
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to it by name")
    imports: dict[str, str] = Field(
        default_factory=dict,
        description="more of its settings, each an import path such as torch.nn:InstanceNorm2d",
    )
    cut_after: tuple[str, ...] = Field(
        min_length=1, description="submodules whose outputs leave the party"
    )
    head_after: str | None = Field(
        default=None,
        description="submodule whose output goes to the party that holds the labels, which runs "
        "what follows; unset: labels are at the server",
    )
    fuse: Literal["concatenate", "mean", "sum"] = Field(
        default="concatenate",
        description="how the server joins several parties' features; concatenated ones pass a "
        "1x1 convolution",
    )
    inputs: str | None = Field(
        default="in_channels", description="its setting for the number of image channels"
    )
    outputs: str | None = Field(
        default="out_channels", description="its setting for the number of regions"
    )
    dimensions: str | None = Field(
        default="spatial_dims", description="its setting for 2 or 3 dimensions; empty: none"
    )

    @property
    def read_by_attacks(self) -> bool:
        """Of the networks that tests/models/test_every_attack.py tries, of layers of torch's."""
        ours = all(path.startswith("torch.nn:") for path in self.imports.values())
        return self.network in _READ and ours

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = (*self.cut_after, *filter(None, [self.head_after]))
        for one, other in itertools.combinations(names, 2):
            if one == other or f"{one}.".startswith(f"{other}.") or other.startswith(f"{one}."):
                raise ValueError(f"no cut lies in another: {one} and {other}")
        return self

    def encoder(self, split: SplitSpec, party: str, space: tuple[int, ...]) -> nn.Module:
        """Everything up to the cuts."""
        modalities = len(split.party(party).modalities)
        network = self._built(split, modalities, 1)
        anatomy = self._anatomy(network, modalities, space)
        part = PartialNetwork(network, anatomy.before, anatomy.calls, (), self.cut_after)
        return CutEncoder(part, anatomy.layouts)

    def server(
        self, split: SplitSpec, received: ReceivedShapes, regions: int, space: tuple[int, ...]
    ) -> nn.Module:
        """Everything behind the cuts, or up to the head."""
        network = self._built(split, 1, regions)
        anatomy = self._anatomy(network, 1, space)
        ends = () if self.head_after is None else (self.head_after,)
        part = PartialNetwork(network, anatomy.between, anatomy.calls, self.cut_after, ends)
        alone = split.orientation == "horizontal"
        fusions = [
            Fusion([shape[0] for shape in (shapes[:1] if alone else shapes)],
                    layout, self.fuse, len(space))
            for (_, shapes), layout in zip(sorted(received.items()), anatomy.layouts, strict=True)
        ]  # fmt: skip
        return CutServer(part, fusions)

    def head(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> nn.Module:
        """Everything behind ``head_after``; nothing where the server runs all of it."""
        if self.head_after is None:
            if split.labels_at != SERVER:
                raise ConfigurationError(
                    "where a party holds the labels, it runs the last layers",
                    found=f"labels at {split.labels_at}, and no model.head_after",
                    remedy="name the submodule after which they begin: model.head_after",
                )
            return nn.Identity()
        network = self._built(split, 1, regions)
        anatomy = self._anatomy(network, 1, space)
        return CutHead(
            PartialNetwork(network, anatomy.behind, anatomy.calls, (self.head_after,), ()), space
        )

    def check(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> None:
        """The parts together give what the whole gives: no path leads around the cuts."""
        modalities = len(split.parties[0].modalities)
        whole = self._built(split, modalities, regions)
        anatomy = self._anatomy(whole, modalities, space)
        if not anatomy.before or not anatomy.between | anatomy.behind:
            raise ConfigurationError(
                "a cut has weights on both sides",
                found=f"none {'before' if not anatomy.before else 'behind'} "
                f"{', '.join(self.cut_after)}",
                remedy="cut after a submodule in the middle of the network",
            )
        images = torch.rand(2, modalities, *space)
        try:
            twin, first = copy.deepcopy(whole), copy.deepcopy(whole)
        except RuntimeError as problem:
            raise ConfigurationError(
                "a network keeps nothing of a forward pass",
                found=f"{self.network}: {str(problem).splitlines()[0]}",
                remedy="take out what it keeps on itself (deep supervision of DynUNet, say)",
            ) from None
        party = PartialNetwork(first, anatomy.before, anatomy.calls, (), self.cut_after)
        seen, heard = _outputs_of(whole), _outputs_of(twin)
        behind = anatomy.between | anatomy.behind
        parts = PartialNetwork(twin, behind, anatomy.calls, self.cut_after, ())
        with torch.no_grad():
            seen[""] = whole.eval()(images)
            heard[""] = parts.eval()(torch.zeros_like(images), party.eval()(images))
        own = {name.rpartition(".")[0] for name in behind}
        astray = [
            name or "the output" for name, output in seen.items()
            if name in own | {""} and (name not in heard or not _alike(output, heard[name]))
        ]  # fmt: skip
        if astray:
            raise ConfigurationError(
                "nothing passes the cuts but what is sent",
                found=f"{astray[0]} reads what a party computes and does not send",
                remedy="name the submodule in model.cut_after whose output it reads, or itself",
            )

    def cut_names(self, split: SplitSpec) -> tuple[str, ...]:
        """The submodules."""
        del split
        return self.cut_after

    def _built(self, split: SplitSpec, inputs: int, outputs: int) -> nn.Module:
        given = dict(self.settings)
        given |= {name: imported(path, f"model.imports.{name}")
                  for name, path in self.imports.items()}  # fmt: skip
        for name, value in (
            (self.inputs, inputs), (self.outputs, outputs), (self.dimensions, split.dimensions)
        ):  # fmt: skip
            if name:
                given.setdefault(name, value)
        try:
            network = imported(self.network, "model.network")(**given)
        except ConfigurationError:
            raise
        except Exception as problem:
            raise ConfigurationError(
                "the network must be built from its settings",
                found=f"{self.network}: {type(problem).__name__}: {problem}",
                remedy="mend model.settings; `inputs`, `outputs` and `dimensions` name what it "
                "calls its channels and dimensions",
            ) from None
        if not isinstance(network, nn.Module):
            raise ConfigurationError(
                "model.network must give a torch.nn.Module",
                found=f"{type(network).__name__} from {self.network}",
                remedy="name a network's class, or a function that returns one",
            )
        modules = dict(network.named_modules())
        for name in (*self.cut_after, *filter(None, [self.head_after])):
            if name not in modules:
                raise UnknownNameError.of(
                    f"submodule of {self.network}", name, (each for each in modules if each)
                )
        return network

    @torch.enable_grad()
    def _anatomy(self, network: nn.Module, modalities: int, space: tuple[int, ...]) -> Anatomy:
        """Which weights lie before, between and behind the cuts, found by running the network."""
        images = torch.rand(2, modalities, *space, generator=torch.Generator().manual_seed(0))
        network.eval()
        frozen = [each for each in network.parameters() if not each.requires_grad]
        # Whose a weight is, its gradient tells, whether or not it is to be trained.
        network.requires_grad_(True)
        heads = () if self.head_after is None else (self.head_after,)
        try:
            calls, kept, _ = watch(network, images, (*self.cut_after, *heads))
        except ConfigurationError:
            raise
        except Exception as problem:
            raise ConfigurationError(
                "the network must run on images of the cohort's size",
                found=f"{self.network} on {tuple(images.shape)}: "
                f"{type(problem).__name__}: {problem}",
                remedy="choose other settings, or another size of slices or patches",
            ) from None
        network.train()
        for name in (*self.cut_after, *heads):
            if not isinstance(kept.get(name), Tensor):
                raise ConfigurationError(
                    "a cut sends one tensor",
                    found=f"{type(kept[name]).__name__} from {name}" if name in kept
                    else f"{name} does not run",
                    remedy="cut after a submodule of it, or describe the stages yourself: "
                    'model.use = "callable"',
                )  # fmt: skip
        sent = {name: kept[name] for name in self.cut_after}
        before = depend(sent, network)
        upto_head = depend(kept[self.head_after], network) if self.head_after else frozenset()
        all_names = frozenset(dict(network.named_parameters()))
        behind = all_names - before - upto_head if self.head_after else frozenset()
        for weight in frozen:
            weight.requires_grad_(False)
        if self.head_after and not (before <= upto_head and upto_head - before and behind):
            raise ConfigurationError(
                "the head begins behind the cuts, and has weights of its own",
                found=f"head_after {self.head_after}",
                remedy="name a submodule near the end of the network",
            )
        return Anatomy(
            calls, before, all_names - before - behind, behind,
            tuple(Layout.of(tuple(each.shape[1:]), space) for each in sent.values()),
        )  # fmt: skip


def _outputs_of(network: nn.Module) -> dict[str, Any]:
    """Module to what it gives from now on, in the order in which they run."""
    found: dict[str, Any] = {}
    for name, module in network.named_modules():
        if name:
            module.register_forward_hook(_keep(found, name))
    return found


def _keep(found: dict[str, Any], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        del module, inputs
        found[name] = output

    return hook


def _alike(first: Any, second: Any) -> bool:
    """Whether two outputs, of whatever structure, hold the same tensors."""
    ours, theirs = tree.tree_leaves(first), tree.tree_leaves(second)
    return len(ours) == len(theirs) and all(
        one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-4)
        for one, other in zip(ours, theirs, strict=True)
        if isinstance(one, Tensor)
    )


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Which weights of a network lie where.

    Attributes:
        calls: what every module did in a dry run.
        before: names of the weights that what is sent depends on.
        between: of the others, those that do not lie behind the head's cut.
        behind: those that lie there.
        layouts: of what is sent, in the order of the cuts.
    """

    calls: Mapping[str, Call]
    before: frozenset[str]
    between: frozenset[str]
    behind: frozenset[str]
    layouts: tuple[Layout, ...]
