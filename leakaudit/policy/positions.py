"""Where in the file each table of a TOML list stands: parsers keep values, not lines."""

from __future__ import annotations

import re

# Short strings are matched so that a `#` or quotes inside them open nothing; they stay.
_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""' r"|'''.*?'''" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'" r"|#[^\n]*",
    flags=re.DOTALL,
)


def table_lines(text: str, key: str, count: int) -> tuple[int, ...]:
    """The lines of `[[key]]`, from 1.

    Args:
        text: of a valid TOML file.
        key: name of the list.
        count: how many entries the parser found in it.

    Returns:
        ``count`` lines. Where the list is written another way, such as inline, the line where the
        key first stands at the start of a line, for each.
    """
    plain = _TOKENS.sub(_blanked, text)
    name = rf"[ \t]*(['\"]?){re.escape(key)}\1[ \t]*"
    headers = [_line(plain, m) for m in re.finditer(rf"^[ \t]*\[\[{name}\]\]", plain, re.MULTILINE)]
    if len(headers) == count:
        return tuple(headers)
    first = re.search(rf"^{name}=", plain, re.MULTILINE)
    return (1 if first is None else _line(plain, first),) * count


def _blanked(match: re.Match[str]) -> str:
    token = match.group()
    kept = not token.startswith(("#", '"""', "'''"))
    return token if kept else "\n" * token.count("\n")


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
