"""A cohort from a function of the user's own."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from leakaudit.cohorts._pseudonyms import kept_key, key_beside, pseudonyms
from leakaudit.cohorts.checks import check_cohort
from leakaudit.cohorts.cohort import Cohort, CohortSource
from leakaudit.errors import ConfigurationError, DataError


class PythonFunction(CohortSource):
    """A Python function, named `package.module:function`, that returns a Cohort.

    The cohort is checked, and its patients get pseudonyms whatever the function called them.
    """

    private: ClassVar[frozenset[str]] = frozenset(
        {"arguments", "pseudonym_key", "pseudonym_key_file"}
    )

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description="where the function is: package.module:function"
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments passed to the function"
    )
    pseudonym_key_file: str | None = Field(
        default=None,
        description="file with the key that orders the pseudonyms; drawn beside the function's "
        "file if unset",
    )
    pseudonym_key: str | None = Field(
        default=None, description="the key itself, to repeat an audit; kept out of the record"
    )

    def load(self) -> Cohort:
        """Call the function and check what it returns.

        Raises:
            ConfigurationError: the function cannot be imported.
            DataError: it does not return a cohort that keeps the contract.
        """
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as problem:
            raise ConfigurationError(
                "the function of a cohort must be importable",
                found=f"{self.function}: {problem}",
                remedy="install the package, or put its folder on PYTHONPATH",
            ) from None
        cohort = function(**self.arguments)
        if not isinstance(cohort, Cohort):
            raise DataError(
                "the function must return a leakaudit.cohorts.Cohort",
                found=f"{type(cohort).__name__} from {self.function}",
                remedy="see docs/cohorts.md for an example",
            )
        check_cohort(cohort)
        table = pseudonyms(cohort.patients.tolist(), self._key(function))
        return dataclasses.replace(
            cohort,
            patients=np.array([table[name] for name in cohort.patients.tolist()]),
            warnings=tuple(_renamed(warning, table) for warning in cohort.warnings),
            shareable=self.shareable,
        )

    def _key(self, function: Callable[..., object]) -> str:
        if self.pseudonym_key is not None:
            return self.pseudonym_key
        if self.pseudonym_key_file is not None:
            return kept_key(Path(os.path.expandvars(self.pseudonym_key_file)).expanduser())
        return kept_key(key_beside(Path(inspect.getfile(function)).parent))


def _renamed(text: str, table: dict[str, str]) -> str:
    """A text with every original name replaced, the longest first."""
    for original in sorted(table, key=len, reverse=True):
        text = text.replace(original, table[original])
    return text
