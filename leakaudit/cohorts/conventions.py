"""Names and numbers that data sets write differently, brought to one form.

Modalities are called T1, T1Gd, T2 and FLAIR. Glioma labels follow the Medical Segmentation
Decathlon (Antonelli et al. 2022, Task01): 1 oedema, 2 enhancing, 3 necrotic or non-enhancing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CANONICAL_MODALITIES = ("T1", "T1Gd", "T2", "FLAIR")

# BraTS 2018-2021 write t1, t1ce, t2, flair; 2023 and later t1n, t1c, t2w, t2f; MSD T1w, t1gd.
_ALIASES = MappingProxyType(
    {
        "t1": "T1",
        "t1n": "T1",
        "t1w": "T1",
        "pre_contrast_t1": "T1",
        "t1ce": "T1Gd",
        "t1c": "T1Gd",
        "t1gd": "T1Gd",
        "t1wce": "T1Gd",
        "post_contrast_t1": "T1Gd",
        "t2": "T2",
        "t2w": "T2",
        "flair": "FLAIR",
        "t2f": "FLAIR",
        "ct": "CT",
        "pet": "PET",
        "pt": "PET",
        "adc": "ADC",
        "dwi": "DWI",
        "swi": "SWI",
    }
)

GLIOMA_REGIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"WT": (1, 2, 3), "TC": (2, 3), "ET": (2,)}
)


def canonical_modality(written: str) -> str:
    """The one name of a modality; a name that is not known is kept as written."""
    return _ALIASES.get(written.strip().lower().replace("-", "_"), written.strip())


def in_canonical_order(modalities: list[str]) -> list[str]:
    """T1, T1Gd, T2, FLAIR first; all others after them by name."""
    order = {name: at for at, name in enumerate(CANONICAL_MODALITIES)}
    return sorted(modalities, key=lambda name: (order.get(name, len(order)), name))
