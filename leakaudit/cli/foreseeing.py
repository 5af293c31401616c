"""`leakaudit power`, and the lines before a run: the smallest leak that a plan can exclude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leakaudit.cli.terminal import printable, say, table, warn
from leakaudit.errors import EXIT_OK, NothingToEvaluateError
from leakaudit.record.power import PROMISE, Power

_COLUMNS = (
    "asset",
    "adversary",
    "series",
    "can exclude",
    "of the worst",
    '"none shown"',
    "would do",
)


def power(config: Path, overrides: dict[str, Any]) -> int:
    """Print what a plan can exclude, without running anything.

    Returns:
        0, whatever the answer: a leak can be shown by a small audit too.

    Raises:
        ConfigurationError: the configuration is wrong.
        DataError: the data breaks a rule.
        NothingToEvaluateError: nothing of it attacks anything.
    """
    from leakaudit.plan.configuration import read_configuration

    configuration, _ = read_configuration(config, overrides)
    from leakaudit.judgement.foreseen import foresee
    from leakaudit.plan.sizes import planned_sizes

    found = foresee(configuration, planned_sizes(configuration))
    if not found:
        raise NothingToEvaluateError(
            "power speaks of attacks",
            found="no adversary can mount any",
            remedy="see `leakaudit explain` of the attack for what it needs to know",
        )
    patients, seeds = found[0].patients, found[0].seeds
    title = f'{patients} patients, {seeds} seed(s), "none shown above {found[0].threshold:g}"'
    table(title, _COLUMNS, (_row(each) for each in found))
    say(
        "Can exclude: the advantage, mean over patients, that four of five audits of a defense "
        'that leaks nothing exclude; beside it that of the worst patient. "None shown": how many '
        "of 100 such audits say so. Series: "
        "attacks and levels that must all be silent. Would do: the fewest patients and seeds for "
        f"{PROMISE * 100:.0f} of 100."
    )
    for each in found:
        if each.spread is not None:
            spread = each.spread
            say(
                f"Assumed of {each.asset}: advantages stray by {spread.patient:g} between "
                f"patients, {spread.seed:g} between seeds and {spread.rest:g} beyond both."
            )
    if any(each.asset == "identity" for each in found):
        say(
            "Assumed of identity: the picker finds everybody from the true images. How many it "
            "does find is measured in the audit, and a lower ceiling excludes less."
        )
    tell(found)
    return EXIT_OK


def tell(found: Sequence[Power], *, quiet: bool = False) -> None:
    """On standard error: what a plan can exclude, and loudly what it cannot answer.

    Args:
        found: of every asset.
        quiet: say nothing of what is as it should be.
    """
    if not quiet and found:
        within = ", ".join(f"{_named(each, found)} {_excluded(each.smallest)}" for each in found)
        limit = f"{found[0].threshold:g}"
        warn(printable(f"This plan can exclude: {within}; the threshold is {limit}."))
    for each in found:
        if not each.reachable:
            named = _named(each, found)
            warn(printable(f'WARNING: "none shown" cannot be the answer on {named}: {_why(each)}.'))


def _row(each: Power) -> tuple[str, ...]:
    return (
        each.asset,
        ", ".join(each.adversaries),
        str(each.series),
        _excluded(each.smallest),
        _excluded(each.smallest_worst),
        f"{100 * each.share:.0f} of 100",
        "this plan" if each.reachable else _enough(each),
    )


def _named(each: Power, found: Sequence[Power]) -> str:
    """The asset, and by whom where that makes a difference."""
    alone = sum(other.asset == each.asset for other in found) == 1
    return each.asset if alone else f"{each.asset} by {', '.join(each.adversaries)}"


def _excluded(smallest: float | None) -> str:
    return "nothing" if smallest is None else f"{smallest:.2f}"


def _why(each: Power) -> str:
    if each.reason:
        return f"{each.reason}; {_enough(each)} would do"
    return (
        f"of 100 audits of a defense that leaks nothing, {100 * each.share:.0f} would say so; "
        f"{_enough(each)} would do"
    )


def _enough(each: Power) -> str:
    if each.patients_needed is None:
        return "no size that can be audited"
    seeds = "" if each.seeds_needed == each.seeds else f" and {each.seeds_needed} seeds"
    patients = max(each.patients_needed, 1)
    return f"{patients} attacked patients{seeds}"
