"""How an estimate's uncertainty is printed."""

from __future__ import annotations

from leakaudit.record import Estimate


def ends(estimate: Estimate, *, signed: bool = False) -> str:
    """`[0.81, 0.89]`; without an interval `(at least 0.78, at most 0.90)` or `(no interval)`."""
    form = "+.2f" if signed else ".2f"
    if estimate.lower is not None and estimate.upper is not None:
        return f"[{estimate.lower:{form}}, {estimate.upper:{form}}]"
    bounds = (("at least", estimate.one_sided_lower), ("at most", estimate.one_sided_upper))
    said = [f"{word} {end:{form}}" for word, end in bounds if end is not None]
    return f"({', '.join(said) or 'no interval'})"
