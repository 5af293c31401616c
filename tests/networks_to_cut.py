"""Networks of others, tiny, and where they may be cut: first, second and deepest stage."""

from collections.abc import Mapping
from typing import Any

from leakaudit.models.cut_network import CutNetwork
from leakaudit.split import PartySpec, SplitSpec

_MONAI = "monai.networks.nets:"
_NNUNET = "dynamic_network_architectures.architectures.unet:"
_NNUNET_NAMES = {
    "imports": {
        "conv_op": "torch.nn:Conv{d}d",
        "norm_op": "torch.nn:InstanceNorm{d}d",
        "nonlin": "torch.nn:LeakyReLU",
    },
    "inputs": "input_channels",
    "outputs": "num_classes",
    "dimensions": "",
}

# Name to settings of the cut model, and the cuts, shallow first.
NETWORKS: Mapping[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "SegResNet": (
        {
            "network": _MONAI + "SegResNet",
            "settings": {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
        },
        ("down_layers.0", "down_layers.1", "down_layers.2"),
    ),
    "UNet": (
        {
            "network": _MONAI + "UNet",
            "settings": {"channels": [8, 12, 16], "strides": [2, 2], "norm": "instance"},
        },
        ("model.0", "model.1.submodule.0", "model.1.submodule.1.submodule"),
    ),
    "DynUNet": (
        {
            "network": _MONAI + "DynUNet",
            "settings": {
                "kernel_size": [3, 3, 3], "strides": [1, 2, "anisotropic"],
                "upsample_kernel_size": [2, "anisotropic"], "filters": [8, 12, 16],
            },
        },
        ("input_block", "downsamples.0", "bottleneck"),
    ),
    "AttentionUnet": (
        {
            "network": _MONAI + "AttentionUnet",
            "settings": {"channels": [8, 12, 16], "strides": [2, 2]},
        },
        ("model.0", "model.1.submodule.0", "model.1.submodule.1.submodule"),
    ),
    "PlainConvUNet": (
        {
            "network": _NNUNET + "PlainConvUNet",
            "settings": {
                "n_stages": 3, "features_per_stage": [8, 12, 16], "kernel_sizes": 3,
                "strides": [1, 2, "anisotropic"], "n_conv_per_stage": 1,
                "n_conv_per_stage_decoder": 1, "conv_bias": True, "deep_supervision": True,
            },
            **_NNUNET_NAMES,
        },
        ("encoder.stages.0", "encoder.stages.1", "encoder.stages.2"),
    ),
    "ResidualEncoderUNet": (
        {
            "network": _NNUNET + "ResidualEncoderUNet",
            "settings": {
                "n_stages": 3, "features_per_stage": [8, 12, 16], "kernel_sizes": 3,
                "strides": [1, 2, "anisotropic"], "n_blocks_per_stage": 1,
                "n_conv_per_stage_decoder": 1, "conv_bias": True,
            },
            **_NNUNET_NAMES,
        },
        ("encoder.stages.0", "encoder.stages.1", "encoder.stages.2"),
    ),
    "SwinUNETR": (
        {
            "network": _MONAI + "SwinUNETR",
            "settings": {"feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]},
        },
        ("encoder1", "encoder2", "swinViT.layers1.0"),
    ),
}  # fmt: skip

PARTIES = (
    PartySpec(name="a", modalities=("T1",)),
    PartySpec(name="b", modalities=("T2", "FLAIR")),
)


def cut(name: str, depth: int, dimensions: int = 2, **changes: Any) -> dict[str, Any]:
    """The table [model] for a network, cut after its first `depth` stages."""
    settings, cuts = NETWORKS[name]
    filled: dict[str, Any] = _filled(settings, dimensions)
    return {"use": "cut", **filled, "cut_after": list(cuts[:depth]), **changes}


def model(name: str, depth: int, dimensions: int = 2, **changes: Any) -> CutNetwork:
    """The same, built."""
    settings = cut(name, depth, dimensions, **changes)
    settings.pop("use")
    return CutNetwork.model_validate(settings)


def split_of(table: dict[str, Any], *, parties: int = 2, **changes: Any) -> SplitSpec:
    """A split of that model between one or two parties."""
    return SplitSpec.model_validate({"parties": PARTIES[:parties], "model": table} | changes)


def _filled(value: Any, dimensions: int) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, dimensions) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, dimensions) for each in value]
    if value == "anisotropic":
        return [2, 1] if dimensions == 2 else [2, 2, 1]
    return value.replace("{d}", str(dimensions)) if isinstance(value, str) else value
