"""Text from data and configurations, made harmless where it is printed."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]|~$]|#(?=\d)|^[-+=#](?=[\s#=+-]|$)|(?<=^\d)[.)](?=\s))")
# A full stop between letters, or a colon before slashes, would make a link; an at sign a call.
_LINKS = re.compile(r"(?<=\w)(\.)(?=[^\W\d])|(:)(?=//)|(@)")


def printable(text: object) -> str:
    r"""The text on one line, with everything that could drive a terminal written out.

    Control characters, line breaks, marks that reverse the writing direction and lone surrogates
    appear as escapes such as `\x1b`.
    """
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(text)
    )


def markdown(text: str) -> str:
    """Text that markdown prints as it is: no markup, no HTML, no link, no mention."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SPECIAL.sub(r"\\\1", text)
    return _LINKS.sub(lambda m: f"&#{ord(m.group())};", text)


def clipped(text: str, most: int) -> str:
    """The text, cut at a length, with a mark where something was left out."""
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"
