"""What a configuration names by its import path."""

from __future__ import annotations

import importlib
from typing import Any

from leakaudit.errors import ConfigurationError


def imported(path: str, what: str) -> Any:
    """The object at ``package.module:name``.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as problem:
        # Whatever a module does while it is imported, its own code included.
        raise ConfigurationError(
            f"{what} must be importable",
            found=f"{path}: {type(problem).__name__}: {problem}",
            remedy="mend the path, install the package, or put its folder on PYTHONPATH",
        ) from None
