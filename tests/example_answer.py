"""An invented answer to go with the invented record."""

from __future__ import annotations

from example_records import NOISE, NONE, WITHHELD, example_record

from leakaudit import record as m
from leakaudit.record import Record, sealed

SERVER = "curious server"


def _around(mean: float, half: float) -> m.Estimate:
    return m.Estimate(
        mean=mean, lower=mean - half, upper=mean + half, one_sided_lower=mean - half,
        one_sided_upper=mean + half, patients=10, samples=40, seeds=2, method="invented",
    )  # fmt: skip


def _point(
    setting: str, leakage: float, dice: float, change: float | None, beaten: tuple[str, ...] = ()
) -> m.TradeOffPoint:
    return m.TradeOffPoint(
        setting=setting, victim="FLAIR", attack="decoder-inversion",
        leakage=_around(leakage, 0.0471), dice=_around(dice, 0.0322),
        dice_change=None if change is None else _around(change, 0.0113), dominated_by=beaten,
        defense_capability=0.6543,
    )  # fmt: skip


def answered_record(*, met: bool = True, rule: str | None = None) -> Record:
    """The example record with trade-offs, a search, and an answer.

    Args:
        met: some setting meets the target.
        rule: name of a policy's rule that set the target; None: the configuration did.
    """
    bounds = {NONE: 0.8321, NOISE: 0.6177, WITHHELD: 0.4019}
    target = m.TargetSummary(
        asset="images", adversary=SERVER, victim=None, metric="ssim", region="foreground",
        max=0.5171 if met else 0.1171, rule=rule,
        source=None if rule is None else "minutes of 3 September",
        says=None if rule is None else "advantage in ssim, worst patient, at most",
    )  # fmt: skip
    answer = m.Answer(
        targets=(target,),
        region="WT",
        policy=None if rule is None else "Leakage policy of the network",
        policy_sha256=None if rule is None else "0123456789abcdef" * 4,
        standings=tuple(
            m.Standing(
                setting=setting, target=0, outcome="met" if bound <= target.max else "exceeded",
                bound=bound, adversary=SERVER, victim="FLAIR", reason=f"because of {bound}",
            )
            for setting, bound in bounds.items()
        ),
        least=WITHHELD if met else None,
        nearest=None if met else WITHHELD,
        excess=None if met else 0.2848,
        dice_change=_around(-0.0271, 0.0113),
        reason="of 1 of 3 settings" if met else "no setting meets every target",
    )  # fmt: skip
    search = m.SearchSummary(
        title="gaussian-noise", setting="noise_multiplier",
        strengths=(NOISE, *(f"gaussian-noise {k}" for k in range(1, 8))), tried=(NOISE,),
        found=None, reason="even the strongest may exceed", cells_saved=4242,
    )  # fmt: skip
    trade_off = m.TradeOff(
        adversary=SERVER, asset="images", metric="ssim", region="WT", margin=0.02,
        points=(
            _point(NONE, 0.7123, 0.8234, None),
            _point(NOISE, 0.5511, 0.7, -0.1234, (WITHHELD,)),
            _point(WITHHELD, 0.3717, 0.81, -0.0271),
        ),
    )  # fmt: skip
    changes = {"trade_offs": (trade_off,), "answer": answer, "searches": (search,)}
    return sealed(example_record().model_copy(update=changes))
