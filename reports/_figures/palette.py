"""The colours of the report, by role: light, dark and paper from one table.

Verdicts never rely on colour: each also has a symbol and a word.
"""

from __future__ import annotations

from leakaudit.record import VerdictValue

LIGHT = {
    "ink": "#16212b",
    "muted": "#566472",
    "grid": "#d8dee4",
    "paper": "#ffffff",
    "wash": "#f3f6f8",
    "accent": "#0b5c8a",
    "leak": "#b3261e",
    "none": "#0f6b5f",
    "open": "#8a5a00",
    "untested": "#5b6773",
    "invalid": "#6b2fa0",
    "c0": "#0b5c8a",
    "c1": "#b8500f",
    "c2": "#3c7a1e",
    "c3": "#86378c",
    "c4": "#76600a",
    "c5": "#3c4650",
}
DARK = {
    "ink": "#e7ecf1",
    "muted": "#9eacb9",
    "grid": "#33404c",
    "paper": "#11171d",
    "wash": "#1a232c",
    "accent": "#74bbe8",
    "leak": "#ff9088",
    "none": "#63d3c3",
    "open": "#ecbb55",
    "untested": "#a3b0bc",
    "invalid": "#cda8f7",
    "c0": "#74bbe8",
    "c1": "#f3a56f",
    "c2": "#98cc7a",
    "c3": "#dba1e3",
    "c4": "#dfc763",
    "c5": "#bcc7d0",
}
VERDICT_ROLE: dict[VerdictValue, str] = {
    "leak shown": "leak",
    "none shown": "none",
    "inconclusive": "open",
    "not tested": "untested",
    "attack invalid": "invalid",
}


def variables(colours: dict[str, str]) -> str:
    """CSS custom properties."""
    return "".join(f"--{role}:{colour};" for role, colour in colours.items())


def classes(colour_of: dict[str, str]) -> str:
    """CSS rules: `f-ROLE` fills, `s-ROLE` strokes."""
    return "".join(
        f".f-{role}{{fill:{colour}}}.s-{role}{{stroke:{colour}}}"
        for role, colour in colour_of.items()
    )


def screen_css() -> str:
    """Rules for a page that switches between light and dark."""
    return classes({role: f"var(--{role})" for role in LIGHT})


def paper_css() -> str:
    """Rules to put inside an SVG that stands alone, in the light colours."""
    return classes(LIGHT)
