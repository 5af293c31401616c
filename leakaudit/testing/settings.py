"""What holds for the settings of every plug-in: described, bounded, and told by its repr."""

from __future__ import annotations

import ast
from collections.abc import Collection

from leakaudit.errors import ConfigurationError, ContractError
from leakaudit.plugins import Plugin, validated

_WRONG = (-1, float("nan"), float("inf"), "nonsense")


def check_settings(plugin: Plugin, free: Collection[str] = ()) -> None:
    """Hold a plug-in's settings to what the command line and the record rely on.

    Args:
        plugin: under some settings.
        free: settings that take any number, or any text.

    Raises:
        ContractError: one is not described, takes what cannot be meant, or is lost by ``repr``.
    """
    kind = type(plugin)
    if not kind.summary():
        raise ContractError(
            "a plug-in says in its docstring what it is", found=kind.__name__,
            remedy="write a docstring: `leakaudit explain` shows it",
        )  # fmt: skip
    for name, about in kind.model_fields.items():
        if not about.description:
            raise ContractError(
                "every setting is described", found=f"{kind.__name__}.{name} is not",
                remedy="give it a Field with a description: `leakaudit explain` shows it",
            )  # fmt: skip
        for wrong in () if name in free else _WRONG:
            try:
                validated(kind, plugin.model_dump() | {name: wrong}, what=kind.__name__)
            except ConfigurationError:
                continue
            raise ContractError(
                "a setting refuses what cannot be meant",
                found=f"{kind.__name__} takes {name} = {wrong!r}",
                remedy="bound it (PositiveInt, Field(le=...), Literal), or name it in `free`",
            )
    if _rebuilt(plugin) != plugin:
        raise ContractError(
            "the repr of a plug-in builds it again", found=repr(plugin),
            remedy="let settings be numbers, text, and tuples of them",
        )  # fmt: skip


def _rebuilt(plugin: Plugin) -> Plugin | None:
    """What a plug-in's repr says, built; None where it says something else."""
    try:
        call = ast.parse(repr(plugin), mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        told = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        return validated(type(plugin), told, what=type(plugin).__name__)
    except (SyntaxError, ValueError, ConfigurationError):
        return None
