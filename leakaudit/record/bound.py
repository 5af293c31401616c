"""The bound that decides a verdict, in one place for everything that prints one."""

from __future__ import annotations

from collections.abc import Callable

from leakaudit.record.leakage import Verdict


def _two_places(value: float) -> str:
    return f"{value:.2f}"


def deciding_bound(verdict: Verdict, number: Callable[[float], str] = _two_places) -> str:
    """Such as `at most 0.09 (limit 0.10)`, `at least 0.21`, or both where neither decides.

    One-sided, as verdicts are: the two-sided interval beside a mean is wider.

    Args:
        verdict: of the record.
        number: how numbers are written.

    Returns:
        Empty where no bound decided: nothing was measured, or a single patient was decisive.
    """
    found = verdict.advantage
    if found is None or verdict.verdict in ("not tested", "attack invalid"):
        return ""
    least, most = found.one_sided_lower, found.one_sided_upper
    at_least = "" if least is None else f"at least {number(least)}"
    at_most = "" if most is None else f"at most {number(most)}"
    limit = f" (limit {number(verdict.threshold)})"
    if verdict.verdict == "leak shown":
        return at_least if least is not None and least > 0 else ""
    if verdict.verdict == "none shown":
        return at_most and at_most + limit
    both = ", ".join(filter(None, (at_least, at_most)))
    return both and both + limit
