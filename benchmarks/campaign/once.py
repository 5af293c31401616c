"""What is the same in every trial is computed once: thousands of commands in one process."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import typer.main

from leakaudit.cohorts.phantom import Phantom
from leakaudit.judgement import power

_Function = Callable[..., Any]


@contextlib.contextmanager
def once() -> Iterator[None]:
    """Remember the parsed command line, generated patients and simulated audits.

    All three depend on nothing but what they are given: a command ends as it would alone.
    """
    by_settings = _remembered(Phantom.load, repr)
    with (
        mock.patch.object(typer.main, "get_command", functools.cache(typer.main.get_command)),
        mock.patch.object(Phantom, "load", by_settings),
        mock.patch.object(power, "simulate", _remembered(power.simulate, repr)),
    ):
        yield


def _remembered(function: _Function, name: Callable[[Any], str]) -> _Function:
    """Its last answers, by what it was given, in words."""
    held: dict[str, Any] = {}

    @functools.wraps(function)
    def asked(*given: Any) -> Any:
        key = name(given)
        if key not in held:
            if len(held) == 100:
                held.clear()
            held[key] = function(*given)
        return held[key]

    return asked
