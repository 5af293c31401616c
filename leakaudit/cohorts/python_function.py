"""A cohort from a function of the user's own."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
from pydantic import Field

from leakaudit.cohorts._pseudonyms import pseudonyms
from leakaudit.cohorts.checks import check_cohort
from leakaudit.cohorts.cohort import Cohort, CohortSource
from leakaudit.errors import ConfigurationError, DataError


class PythonFunction(CohortSource):
    """A Python function, named `package.module:function`, that returns a Cohort.

    The cohort is checked, and its patients get pseudonyms whatever the function called them.
    """

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description="where the function is: package.module:function"
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments passed to the function"
    )
    pseudonym_key: str = Field(
        default="leakaudit", description="orders the pseudonyms; change it to change the order"
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
        table = pseudonyms(cohort.patients.tolist(), self.pseudonym_key)
        return dataclasses.replace(
            cohort,
            patients=np.array([table[name] for name in cohort.patients.tolist()]),
            warnings=tuple(_renamed(warning, table) for warning in cohort.warnings),
            shareable=self.shareable,
        )


def _renamed(text: str, table: dict[str, str]) -> str:
    """A text with every original name replaced, the longest first."""
    for original in sorted(table, key=len, reverse=True):
        text = text.replace(original, table[original])
    return text
