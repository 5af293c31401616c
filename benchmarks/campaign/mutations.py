"""Changes made by chance to what a program reads: to its structure, or to its bytes."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

# What nobody expects where a number, a word, a list or a table should stand.
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, -0.0, 0.5, 7, 1e9, 10**9, 2**31, 2**63, 10**30, 1e-9, 1e308,
    math.inf, -math.inf, math.nan, "", " ", "a", "server", "none", "a\0b", "\u202e<b>&", "../../x",
    "x" * 3000, "1", [], [[]], [0], ["a"], [None], [1, "a"], {}, {"a": 1}, {"use": "none"},
)  # fmt: skip
Path = tuple[Any, ...]


def place(value: Any, rng: random.Random) -> Path | None:
    """A place in nested tables and lists, from the top down; None where there is none.

    Shallow places are few among many numbers: every step goes on with three chances of four.
    """
    path: Path = ()
    while isinstance(value, dict | list) and value and (not path or rng.random() < 0.75):
        steps: Any = list(value) if isinstance(value, dict) else range(len(value))
        path = (*path, rng.choice(steps))
        value = value[path[-1]]
    return path or None


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def copied(value: Any) -> Any:
    """A copy of all that is in it: several times as fast as `copy.deepcopy`."""
    return pickle.loads(pickle.dumps(value))


def restructured(value: Any, rng: random.Random, times: int) -> Any:
    """A copy with some places changed."""
    changed = copied(value)
    for _ in range(times):
        found = place(changed, rng)
        if found is None:
            break
        _change(changed, found, rng)
    return changed


def without(value: Any, rng: random.Random) -> tuple[Any, Path]:
    """A copy that lacks one place, and which."""
    changed = copied(value)
    path = place(changed, rng)
    if path is None:
        return changed, ()
    del at(changed, path[:-1])[path[-1]]
    return changed, path


def _change(whole: Any, path: Path, rng: random.Random) -> None:
    parent, step = at(whole, path[:-1]), path[-1]
    held = parent[step]
    kind = rng.randrange(9)
    if kind <= 2:
        parent[step] = copied(rng.choice(ODD))
    elif kind == 3:
        del parent[step]
    elif kind == 4:
        parent[step] = copied(at(whole, place(whole, rng) or ()))
    elif kind == 5 and isinstance(held, list) and held:
        held[:] = rng.choice([held + held, held[:-1], held[1:], held[::-1], held * 50])
    elif kind == 6 and isinstance(held, int | float) and not isinstance(held, bool):
        parent[step] = rng.choice(
            [-held, held + 1, held * 1000, held * 1e-9, float(held), str(held)]
        )
    elif kind == 7 and isinstance(parent, dict):
        parent[rng.choice([f"{step}s", "label", "name", "use", "seeds", ""])] = parent.pop(step)
    else:
        parent[step] = rng.choice([[held], {"a": held}, str(held), [held, held]])


def scrambled(content: bytes, rng: random.Random, times: int) -> bytes:
    """A copy with some bytes changed, put in or taken out."""
    held = bytearray(content)
    for _ in range(times):
        start = rng.randrange(len(held) + 1)
        end = min(len(held), start + rng.choice([1, 2, 8, 200]))
        kind = rng.randrange(6)
        if kind == 0 and start < len(held):
            held[start] ^= 1 << rng.randrange(8)
        elif kind == 1:
            held[start:start] = rng.choice([b"\0", b"\xff\xfe", b'"', b"[[", b"}", b"\n", b"1e999"])
        elif kind == 2:
            del held[start:end]
        elif kind == 3:
            held[start:start] = held[start:end]
        elif kind == 4:
            held[start:end] = rng.randbytes(end - start)
        elif rng.random() < 0.2:
            del held[start:]
    return bytes(held)


def toml(content: dict[str, Any]) -> str:
    """Tables as TOML; what TOML has no word for is left out."""
    return "".join(
        f"{_quoted(str(key))} = {_toml(value)}\n"
        for key, value in content.items()
        if value is not None
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = (f"{_quoted(str(k))} = {_toml(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value if each is not None) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    escaped = (
        f"\\u{ord(each):04x}" if ord(each) < 32 or each in '"\\\x7f' else each for each in text
    )
    return '"' + "".join(escaped) + '"'
