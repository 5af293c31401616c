"""`breaching` 0.1.2 in a folder of its own, fetched once from the package index.

It is no dependency of the product, and its pins are older than ours: it is installed without them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parents[2] / ".cache" / "breaching"
WANTED = ("breaching==0.1.2", "hydra-core==1.3.2", "omegaconf==2.3.0",
          "antlr4-python3-runtime==4.9.3")  # fmt: skip

Loss = Callable[[Tensor, Tensor], Tensor]


class UnavailableError(Exception):
    """It is not here and could not be fetched."""


def fetched() -> Any:
    """The package, imported; installed first where it is not there.

    Raises:
        UnavailableError: no network, or no such package.
    """
    if not (FOLDER / "breaching").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
                   "--target", str(FOLDER), *WANTED]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(done.stderr.strip().splitlines()[-1])
    sys.path.append(str(FOLDER))
    import breaching

    return breaching


class _Module(nn.Module):
    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        return self.loss(outputs, wanted)


@dataclass(frozen=True)
class Settings:
    """What is chosen for it on images that are not measured; as it comes unless said otherwise.

    Attributes:
        total_variation: weight of the images' total variation beside the angle.
        step_size: of Adam, in grey values.
        dtype: what it computes in.
    """

    total_variation: float = 0.2
    step_size: float = 0.1
    dtype: str = "float"


class InvertingGradients:
    """Its own Inverting Gradients as it is configured there, but for iterations and settings."""

    def __init__(self, iterations: int, settings: Settings) -> None:
        import io
        from contextlib import redirect_stdout

        breaching = fetched()
        with redirect_stdout(io.StringIO()):
            self._configuration = breaching.get_attack_config(
                "invertinggradients",
                [
                    f"optim.max_iterations={iterations}",
                    f"optim.callback={iterations}",
                    f"optim.step_size={settings.step_size}",
                    f"regularization.total_variation.scale={settings.total_variation}",
                    f"impl.dtype={settings.dtype}",
                ],
            )
        self._prepare = breaching.attacks.prepare_attack

    def __call__(
        self, network: nn.Module, loss: Loss, gradients: list[Tensor], labels: Tensor, image: Any
    ) -> Tensor:
        """An image, recovered from the network's gradients and its label.

        Args:
            network: whose weights caused the gradients.
            loss: of outputs and labels.
            gradients: by parameter.
            labels: known.
            image: shape (1, channels, *space) of what is sought.
        """
        about = SimpleNamespace(shape=tuple(image[1:]), modality="vision")
        setup = {"dtype": torch.float, "device": torch.device("cpu")}
        attacker = self._prepare(network, _Module(loss), self._configuration, setup)
        weights = [parameter.detach() for parameter in network.parameters()]
        shared = {
            "gradients": gradients,
            "buffers": None,
            "metadata": {"num_data_points": 1, "labels": labels, "local_hyperparams": None},
        }
        payload = {"parameters": weights, "buffers": [], "metadata": about}
        found, _ = attacker.reconstruct([payload], [shared], {})
        result: Tensor = found["data"].detach().float()
        return result
