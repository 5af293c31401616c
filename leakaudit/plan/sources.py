"""Which source files a plug-in is made of: a change in any of them makes its old results stale."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

OURS = "leakaudit"


def sources(plugin: type) -> set[Path]:
    """The source files that answer for a plug-in.

    Of one that ships here: its file and, of the modules beside it, those it imports, so that a
    changed attack does not make the others forget their results. Of anybody else's: every source
    file of its top package, whatever imports what; of a module without a package, as of ours.
    What it uses of other packages is not looked at.
    """
    file = Path(inspect.getfile(plugin))
    top = plugin.__module__.partition(".")[0]
    folders = getattr(sys.modules.get(top), "__path__", None)
    if top == OURS or folders is None:
        return imported(file, plugin.__module__.rpartition(".")[0])
    found = {source for folder in folders for source in Path(folder).rglob("*.py")}
    return found | {file}


def imported(file: Path, package: str) -> set[Path]:
    """A file and, of its own package, those it is made of through imports.

    Args:
        file: where to start.
        package: dotted name of the package in the file's folder; empty: of none.
    """
    root = file.parent
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in found or not current.is_file():
            continue
        found.add(current)
        for node in ast.walk(ast.parse(current.read_bytes())):
            for start, dotted in _named(node, current.parent, root, package):
                place = start.joinpath(*dotted.split("."))
                waiting.append(place.with_name(f"{place.name}.py"))
                if package or start != root:
                    waiting.append(place / "__init__.py")
    return found


def _named(node: ast.AST, here: Path, root: Path, package: str) -> Iterator[tuple[Path, str]]:
    """Folder and dotted name of all that an import may load from the plug-in's own package.

    What is imported from a module may itself be a module, so that both are named.
    """
    if isinstance(node, ast.ImportFrom) and node.level:
        start = here
        for _ in range(node.level - 1):
            start = start.parent
        if node.module:
            yield start, node.module
        for alias in node.names:
            yield start, f"{node.module}.{alias.name}" if node.module else alias.name
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from _within(names, root, package)
    elif isinstance(node, ast.Import):
        yield from _within([alias.name for alias in node.names], root, package)


def _within(names: list[str], root: Path, package: str) -> Iterator[tuple[Path, str]]:
    prefix = f"{package}." if package else ""
    for name in names:
        if name.startswith(prefix):
            yield root, name.removeprefix(prefix)
