"""What an attack adds to what is known anyway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

# With less room than this between blind guess and ceiling, a quotient is rounding.
_LEAST_ROOM = 1e-6


def advantage(
    value: npt.ArrayLike, blind: npt.ArrayLike, ceiling: npt.ArrayLike, *, higher_leaks: bool
) -> Doubles:
    """Advantage over the blind baseline: 0 is no better than blind, 1 is a total leak.

    (value - blind) / (ceiling - blind), which grows with the leak whichever way the metric does,
    as long as the ceiling lies on its leaking side; negative where the attack is worse than blind.

    Args:
        value: the attack's metric, any shape.
        blind: the best without the messages, per sample or one for all.
        ceiling: the metric of a total leak.
        higher_leaks: whether higher values of the metric leak more.

    Returns:
        float64 of the broadcast shape. NaN, that is missing, where a value is missing or the blind
        baseline already reaches the ceiling: nothing was left to leak.
    """
    value, blind, ceiling = (np.asarray(a, dtype=np.float64) for a in (value, blind, ceiling))
    room = ceiling - blind
    open_room = (room if higher_leaks else -room) > _LEAST_ROOM
    result: Doubles = np.full(np.broadcast_shapes(value.shape, room.shape), np.nan)
    np.divide(value - blind, room, out=result, where=np.broadcast_to(open_room, result.shape))
    return result


def relative_leakage(similarity: npt.ArrayLike, prior: npt.ArrayLike) -> Doubles:
    """Reconstruction data leakage value, RDLV: (SSIM - SSIM_prior) / SSIM_prior.

    0 is no better than the prior; unbounded above, which is why the advantage leads.

    Args:
        similarity: SSIM of the attack's reconstruction.
        prior: SSIM of the best picture made without the messages.

    Returns:
        float64; NaN where a value is missing or the prior is not positive.

    Source: Hatamizadeh et al. 2023, IEEE TMI 42(7), "Do gradient inversion attacks make federated
    learning unsafe?"; the name is NVIDIA FLARE's.
    """
    similarity, prior = (np.asarray(a, dtype=np.float64) for a in (similarity, prior))
    result: Doubles = np.full(np.broadcast_shapes(similarity.shape, prior.shape), np.nan)
    np.divide(
        similarity - prior,
        prior,
        out=result,
        where=np.broadcast_to(prior > _LEAST_ROOM, result.shape),
    )
    return result
