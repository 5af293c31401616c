"""What attacks tried to read messages by, over all seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.ways import Way
from leakaudit.plan.plan import AttackId
from leakaudit.record import Portfolio, PortfolioWay
from leakaudit.split.spec import SplitSpec

_MOST_LISTED = 6
_AS_SENT = "as sent"
_REASON = 200  # characters


def portfolios(
    results: Iterable[tuple[AttackId, AttackResult]], split: SplitSpec
) -> tuple[Portfolio, ...]:
    """One entry per setting, actor, attack, party, cuts and kind; controls are left out.

    Args:
        results: finished attack cells.
        split: says what the cuts are called.
    """
    found: dict[tuple[str, ...], list[Way]] = defaultdict(list)
    runs: dict[tuple[str, ...], set[AttackId]] = defaultdict(set)
    for attack, result in results:
        if attack.shuffled:
            continue
        for way in result.ways:
            cuts = map(split.cut_name, way.levels)
            key = (
                attack.training.setting, attack.adversary, attack.attack, way.victim, way.kind,
                *cuts,
            )  # fmt: skip
            found[key].append(way)
            runs[key].add(attack)
    return tuple(_entry(key, ways, len(runs[key])) for key, ways in sorted(found.items()))


def _entry(key: tuple[str, ...], tried: Sequence[Way], runs: int) -> Portfolio:
    setting, adversary, attack, victim, _, *cuts = key
    told: dict[str, list[Way]] = defaultdict(list)
    skipped: dict[str, dict[str, None]] = defaultdict(dict)
    for way in tried:
        if way.told is not None and np.isfinite(way.told):
            told[way.way].append(way)
        else:
            reason = way.problem[:_REASON] or "what it told is not finite"
            skipped[reason][way.way] = None
    ways = sorted(
        (
            PortfolioWay(
                way=name,
                told=float(np.mean([way.told for way in each])),
                runs=len(each),
                used=sum(way.used for way in each),
            )
            for name, each in told.items()
        ),
        key=lambda way: -way.told,
    )
    listed = [
        way for place, way in enumerate(ways)
        if place < _MOST_LISTED or way.used or way.way == _AS_SENT
    ]  # fmt: skip
    return Portfolio(
        setting=setting, adversary=adversary, attack=attack, victim=victim, cuts=tuple(cuts),
        kind=tried[0].kind, runs=runs, ways=tuple(listed), others=len(ways) - len(listed),
        skipped={reason: tuple(names) for reason, names in skipped.items()},
    )  # fmt: skip
