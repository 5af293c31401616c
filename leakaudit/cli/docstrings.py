"""What a plug-in is for, read from its source without importing it.

`leakaudit list` answers at once this way: importing every attack would import torch.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from importlib.util import resolve_name
from pathlib import Path

# A package may hand a class on from another module, which may do the same.
_MOST_STEPS = 5


def summary(entry: EntryPoint) -> str | None:
    """First line of the docstring of the class an entry point names; None where not found."""
    module, name = entry.module, entry.attr
    for _ in range(_MOST_STEPS):
        spec = _spec(module)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            return None
        try:
            tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        except (OSError, SyntaxError, UnicodeDecodeError):
            return None
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return (ast.get_docstring(node) or "").partition("\n")[0]
        source = _handed_on(tree, name, spec)
        if source is None:
            return None
        module, name = source
    return None


def _handed_on(tree: ast.Module, name: str, spec: ModuleSpec) -> tuple[str, str] | None:
    """Where a module imports a name from."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    package = spec.name if spec.submodule_search_locations else spec.parent
                    written = "." * node.level + (node.module or "")
                    return resolve_name(written, package), alias.name
    return None


def _spec(module: str) -> ModuleSpec | None:
    """Where a module lies. Unlike `importlib.util.find_spec`, its packages are not imported."""
    parts = module.split(".")
    places: Sequence[str] | None = None
    spec = None
    for end in range(1, len(parts) + 1):
        spec = _found(".".join(parts[:end]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
        if places is None and end < len(parts):
            return None
    return spec


def _found(name: str, places: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, places)
        if spec is not None:
            return spec
    return None
