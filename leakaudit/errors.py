"""Every error a user can meet, in one tree; each class knows its exit code.

A message has three parts: the rule that was broken, the value found, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

EXIT_OK = 0
EXIT_POLICY_VIOLATED = 1
EXIT_NO_VALID_VERDICT = 2
EXIT_INTERNAL = 3
EXIT_USAGE = 4
EXIT_NOTHING_TO_EVALUATE = 5


class LeakauditError(Exception):
    """Base of the tree.

    Args:
        rule: what must hold, as a sentence without a full stop.
        found: the value that broke it.
        remedy: what the reader should do.
    """

    exit_code: ClassVar[int] = EXIT_INTERNAL

    def __init__(self, rule: str, *, found: object = None, remedy: str = "") -> None:
        self.rule = rule
        self.found = found
        self.remedy = remedy
        parts = [rule]
        if found is not None:
            parts.append(f"found: {found}")
        if remedy:
            parts.append(f"do: {remedy}")
        super().__init__("; ".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between worker processes, keyword arguments included."""
        return (_rebuild, (type(self), self.rule, self.found, self.remedy))


def _rebuild(kind: type[LeakauditError], rule: str, found: object, remedy: str) -> LeakauditError:
    return kind(rule, found=found, remedy=remedy)


class ConfigurationError(LeakauditError):
    """A configuration, policy or command-line value breaks a rule."""

    exit_code = EXIT_USAGE


class UnknownNameError(ConfigurationError):
    """A plug-in, setting, party or modality that does not exist."""

    @classmethod
    def of(cls, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Name the nearest known spelling.

        Args:
            what: the kind of thing, such as "attack" or "setting of decoder-inversion".
            name: what was written.
            known: what could have been written.
        """
        known = sorted(known)
        folded = {each.casefold(): each for each in known}
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.4)
        remedy = f"did you mean {folded[near[0]]!r}? " if near else ""
        return cls(f"unknown {what}", found=repr(name), remedy=f"{remedy}known: {', '.join(known)}")


class ContractError(LeakauditError):
    """A plug-in breaks what an audit relies on; :mod:`leakaudit.testing` found it."""

    exit_code = EXIT_USAGE


class DataError(LeakauditError):
    """Images, masks or groups of patients break a rule."""

    exit_code = EXIT_USAGE


class CohortFaultsError(DataError):
    """Several faults of one cohort; `found` has one line for each, made printable."""


class EnvironmentProblemError(LeakauditError):
    """This machine lacks something the run needs: disk, device, write access, an engine."""

    exit_code = EXIT_USAGE


class TraceError(LeakauditError):
    """A trace is damaged, incomplete, or of another schema version."""

    exit_code = EXIT_USAGE


class RecordError(LeakauditError):
    """An audit record is damaged, edited, or of a newer schema version."""

    exit_code = EXIT_USAGE


class NotMountableError(LeakauditError):
    """This adversary lacks what the attack needs. Reported, never fatal."""


class AttackInvalidError(LeakauditError):
    """The attack ran but its result cannot be used: it diverged or gave non-finite output."""


class NoValidVerdictError(LeakauditError):
    """The evidence allows no verdict: one patient, one seed, or a failed control."""

    exit_code = EXIT_NO_VALID_VERDICT


class NothingToEvaluateError(LeakauditError):
    """There is no finding to hold against a policy or to report."""

    exit_code = EXIT_NOTHING_TO_EVALUATE
