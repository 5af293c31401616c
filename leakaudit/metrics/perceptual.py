"""LPIPS, the learned perceptual distance, with a backbone that is found and never fetched."""

from __future__ import annotations

import math
import os
import warnings
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError  # torch's safe loader raises it; nothing is unpickled here
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from leakaudit.errors import EnvironmentProblemError
from leakaudit.metrics.metric import FloatImages, ImageMetric, Masks, Values
from leakaudit.statistics.direction import Direction

if TYPE_CHECKING:
    import torch

WEIGHTS_VARIABLE = "LEAKAUDIT_LPIPS_WEIGHTS"

# torchvision's name of each backbone, which its files start with, in the hub's cache as elsewhere.
_BACKBONES = {"alex": "alexnet", "squeeze": "squeezenet1_1"}
_LEAST_SIDE = 64  # below it the deepest layers shrink to a pixel or to nothing
_BATCH = 64


class PerceptualDistance(ImageMetric):
    """LPIPS (learned perceptual distance), by the ``lpips`` package; whole images only.

    Each modality is judged apart, its gray values repeated to three channels; images whose shorter
    side is below 64 pixels are enlarged to it, bilinearly; a volume's value is the mean over its
    slices along the first axis.
    """

    name: ClassVar[str] = "lpips"
    title: ClassVar[str] = "perceptual distance"
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    direction: ClassVar[Direction] = Direction.LOWER
    source: ClassVar[str] = "Zhang et al. 2018, CVPR, arXiv 1801.03924; package lpips, version 0.1"
    meaning: ClassVar[str] = (
        "How different the rebuilt and the patient's picture look to a network that mimics people: "
        "0 is a perfect copy, beyond about 0.7 there is little in common."
    )
    remedy: ClassVar[str] = (
        "Withhold the finest skip connection first; it carries the detail that makes a picture "
        "recognisable."
    )
    takes_masks: ClassVar[bool] = False

    net: Literal["alex", "squeeze"] = Field(default="alex", description="which backbone")
    weights: Path | None = Field(
        default=None,
        description="the backbone's file, or the folder it lies in; "
        f"otherwise {WEIGHTS_VARIABLE} and torch's hub cache are searched",
    )

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """A perfect copy."""
        return 0.0

    def backbone(self) -> Path | None:
        """The backbone's file; None where there is none here."""
        return _find(self.net, self.weights)

    def available(self) -> str | None:
        """Why there is no backbone, and how to get one."""
        if self.backbone() is not None:
            return None
        where = self.weights or os.environ.get(WEIGHTS_VARIABLE) or _hub_checkpoints()
        where = _without_home(Path(where))
        return (
            f"not available: no {_BACKBONES[self.net]} backbone at {where}; to get it, copy "
            f"torchvision's {_BACKBONES[self.net]} ImageNet weights ({_BACKBONES[self.net]}*.pth) "
            f"to this machine and point {WEIGHTS_VARIABLE} at the file or its folder"
        )

    def per_channel(
        self,
        reference: FloatImages,
        candidate: FloatImages,
        masks: Masks | None,  # noqa: ARG002
    ) -> Values:
        """Gray images to distances, as described for the class."""
        slices = 1 if reference.ndim == 3 else reference.shape[1]
        plane = reference.shape[-2:]

        def to_rgb(images: FloatImages) -> FloatImages:
            return np.broadcast_to(images.reshape(-1, 1, *plane), (len(images) * slices, 3, *plane))

        distances = self.of_rgb(to_rgb(reference), to_rgb(candidate))
        values: Values = distances.reshape(len(reference), slices).mean(axis=1)
        return values

    def of_rgb(self, reference: FloatImages, candidate: FloatImages) -> Values:
        """Distances of colour images.

        Args:
            reference: (n, 3, h, w) in [0, 1].
            candidate: the same.

        Raises:
            EnvironmentProblemError: there is no usable backbone here.
        """
        import torch

        path = _find(self.net, self.weights)
        if path is None:
            raise EnvironmentProblemError(
                "LPIPS needs its backbone; it is never fetched and never random",
                found=self.available(),
                remedy="see `leakaudit doctor`",
            )
        network = _network(self.net, path, path.stat().st_mtime_ns)
        values = np.empty(len(reference))
        with torch.no_grad():
            for start in range(0, len(reference), _BATCH):
                stop = start + _BATCH
                distance = network(
                    _prepared(reference[start:stop]), _prepared(candidate[start:stop])
                )
                values[start:stop] = distance.flatten().numpy()
        return values


def _prepared(images: FloatImages) -> torch.Tensor:
    """To [-1, 1], and large enough for every layer."""
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(np.array(images, dtype=np.float32)) * 2 - 1
    shorter = min(tensor.shape[-2:])
    if shorter >= _LEAST_SIDE:
        return tensor
    size = [math.ceil(side * _LEAST_SIDE / shorter) for side in tensor.shape[-2:]]
    return functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)


def _find(net: str, explicit: Path | None) -> Path | None:
    """The backbone's file. A place that was named is not silently passed over for another."""
    variable = os.environ.get(WEIGHTS_VARIABLE)
    place = explicit or (Path(variable) if variable else _hub_checkpoints())
    if place.is_file():
        return place
    return next(iter(sorted(place.glob(f"{_BACKBONES[net]}*.pth"))), None)


def _hub_checkpoints() -> Path:
    """Where torch keeps what it has fetched before; worked out without importing torch."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(os.environ.get("TORCH_HOME") or cache).expanduser() / "hub" / "checkpoints"


def _without_home(path: Path) -> str:
    """A path that does not name the user: this text goes into records and reports."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails for nameless users
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


@lru_cache(maxsize=2)
def _network(net: str, path: Path, modified_ns: int) -> Any:  # noqa: ARG001
    """The distance network; ``modified_ns`` keeps a replaced file from being overlooked."""
    import lpips
    import torch

    # lpips would fetch a pretrained backbone: build it untrained, without touching torch's global
    # random state, and replace every weight. torchvision warns of arguments that lpips passes.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    heads = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    try:
        trained = torch.load(path, map_location="cpu", weights_only=True)
        linear = torch.load(heads, map_location="cpu", weights_only=True)
        expected = network.net.state_dict()
        features = {
            # lpips cuts the backbone into slices but keeps the layers' numbers.
            key: trained["features." + key.partition(".")[2]]
            for key in expected
        }
        network.net.load_state_dict(features, strict=True)
        unknown = network.load_state_dict(linear, strict=False).unexpected_keys
    except (
        UnpicklingError,
        KeyError,
        TypeError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
    ) as problem:
        raise EnvironmentProblemError(
            f"an LPIPS backbone holds torchvision's {_BACKBONES[net]} features",
            found=f"{path}: {type(problem).__name__}",
            remedy="copy the file again",
        ) from problem
    if unknown or len(linear) != len(network.lins):
        raise EnvironmentProblemError(
            "the lpips package brings one linear head per layer",
            found=f"{sorted(linear)} in {heads}",
            remedy="install lpips 0.1.4",
        )
    return network.eval()
