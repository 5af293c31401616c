"""Per-sample weight gradients of one network, clipped and noised by Opacus."""

from __future__ import annotations

from typing import Any

import torch
from opacus.grad_sample import GradSampleHooks
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import Generator, Tensor, nn

from leakaudit.errors import ConfigurationError


class PerSampleUpdate:
    """Replaces a network's gradients by the mean of clipped per-sample gradients plus noise.

    The loss must be a mean over samples, each treated alone.

    Args:
        network: what trains; hooks hang on it until :meth:`release`.
        clip_norm: largest L2 norm of one sample's gradient over all of the network's weights.
        noise_multiplier: standard deviation of the noise on the sum, over ``clip_norm``.

    Raises:
        ConfigurationError: a layer mixes samples, such as batch norm.
    """

    def __init__(self, network: nn.Module, clip_norm: float, noise_multiplier: float) -> None:
        problems = ModuleValidator.validate(network)
        if problems:
            raise ConfigurationError(
                "dp-sgd needs layers that treat each sample alone",
                found=str(problems[0]).splitlines()[0],
                remedy="use group or instance norm instead of batch norm",
            )
        for module in network.modules():
            # Backward hooks and changes in place exclude each other; results are the same.
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]
        self._weights = [weight for weight in network.parameters() if weight.requires_grad]
        self._hooks = GradSampleHooks(network, loss_reduction="mean")
        self._entry = network.register_forward_pre_hook(_with_gradient)
        # Only clips and noises: the step itself belongs to the trainer's own optimiser.
        self._clipping = DPOptimizer(
            torch.optim.SGD(self._weights, lr=1.0),
            noise_multiplier=noise_multiplier,
            max_grad_norm=clip_norm,
            expected_batch_size=None,
            loss_reduction="sum",
        )

    def rewrite(self, rng: Generator) -> None:
        """Set every weight's gradient.

        Args:
            rng: gives the noise; on the network's device.
        """
        samples = len(self._clipping.grad_samples[0])
        self._clipping.generator = rng
        self._clipping.clip_and_accumulate()
        self._clipping.add_noise()
        for weight in self._weights:
            if weight.grad is None:
                raise RuntimeError("Opacus left a weight without gradient")
            weight.grad /= samples
            weight.grad_sample = None  # type: ignore[attr-defined]
            weight.summed_grad = None  # type: ignore[attr-defined]

    def release(self) -> None:
        """Take the hooks off and leave the weights as plain ones."""
        self._hooks.cleanup()
        self._entry.remove()


def _with_gradient(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Opacus' backward hooks on a first layer complain where its input needs no gradient."""
    return tuple(
        entry.detach().requires_grad_()
        if isinstance(entry, Tensor) and torch.is_grad_enabled() and not entry.requires_grad
        else entry
        for entry in inputs
    )
