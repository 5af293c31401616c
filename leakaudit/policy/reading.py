"""Reading the policy file: valid as a whole, or one message that names the line."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.plugins import validated
from leakaudit.policy.model import (
    Budget,
    Policy,
    Regression,
    Rule,
    Table,
    UtilityFloor,
    Waiver,
)
from leakaudit.policy.positions import table_lines

Kind = Literal["budget", "regression", "utility"]
RuleT = TypeVar("RuleT", bound=Rule)
TableT = TypeVar("TableT", bound=Table)

TABLES: Mapping[str, type[Table]] = {
    "budget": Budget,
    "regression": Regression,
    "utility": UtilityFloor,
    "waiver": Waiver,
}


@dataclass(frozen=True)
class Placed:
    """A rule and where it stands.

    Attributes:
        kind: its table.
        name: its own, or kind and number such as `budget 2`.
        line: of its header, from 1.
        rule: the rule.
        setting: the defense setting it judges.
        fingerprint: of what it selects: stays when the file around it, its bound or its name
            change.
    """

    kind: Kind
    name: str
    line: int
    rule: Budget | Regression | UtilityFloor
    setting: str
    fingerprint: str


@dataclass(frozen=True)
class PolicyFile:
    """A valid policy with its places in the file.

    Attributes:
        path: as given.
        policy: what it says.
        rules: all rules, in the order budgets, regressions, utility floors.
        waivers: by the name of the rule they let go, with their line.
        sha256: of the file.
    """

    path: Path
    policy: Policy
    rules: tuple[Placed, ...]
    waivers: Mapping[str, tuple[Waiver, int]]
    sha256: str


def read_policy(path: Path) -> PolicyFile:
    """Read and validate a policy file.

    Raises:
        ConfigurationError: not there, not TOML, a rule without source, two rules that contradict
            each other, a waiver of a rule that does not exist, a value out of range.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")  # some editors put a mark in front
        given = tomllib.loads(text)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ConfigurationError(
            "the policy must be a TOML file",
            found=str(path),
            remedy="`leakaudit init DATA_DIR` writes one to start from; see docs/gate.md",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigurationError(
            f"{path.name} must be valid TOML", found=str(problem), remedy="mend the line it names"
        ) from None
    return _Reader(path, text, given, hashlib.sha256(raw).hexdigest()).policy_file()


class _Reader:
    """One file on its way to a policy; every message of it begins with file and line."""

    def __init__(self, path: Path, text: str, given: dict[str, Any], sha256: str) -> None:
        self.path, self.given, self.sha256 = path, given, sha256
        self.entries = {key: self._list(key) for key in TABLES}
        self.lines = {key: table_lines(text, key, len(self.entries[key])) for key in TABLES}

    def policy_file(self) -> PolicyFile:
        budgets = tuple(self._tables("budget", Budget))
        regressions = tuple(self._tables("regression", Regression))
        floors = tuple(self._tables("utility", UtilityFloor))
        waivers = tuple(self._tables("waiver", Waiver))
        whole = {key: value for key, value in self.given.items() if key not in TABLES}
        policy = validated(Policy, whole, what=f"{self.path.name}: policy").model_copy(
            update={
                "budget": budgets,
                "regression": regressions,
                "utility": floors,
                "waiver": waivers,
            }
        )
        rules = (
            *self._placed("budget", budgets, policy),
            *self._placed("regression", regressions, policy),
            *self._placed("utility", floors, policy),
        )
        self._distinct(rules)
        return PolicyFile(self.path, policy, rules, self._waivers(waivers, rules), self.sha256)

    def _list(self, key: str) -> list[Any]:
        value = self.given.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ConfigurationError(
                f"{self.path.name}: every {key} is a table of its own, headed [[{key}]]",
                found=repr(value)[:200],
                remedy=f"write [[{key}]] with two brackets",
            )
        return value

    def _tables(self, key: str, model: type[TableT]) -> Iterator[TableT]:
        for entry, line in zip(self.entries[key], self.lines[key], strict=True):
            if "source" in model.model_fields and not str(entry.get("source", "")).strip():
                raise ConfigurationError(
                    f"{self.path.name}:{line}: every {key} names who set it",
                    found="no source",
                    remedy='add source = "...": a person, a committee, the minutes of a meeting',
                )
            yield validated(model, entry, what=f"{self.path.name}:{line}: {key}")

    def _placed(self, kind: Kind, rules: tuple[Any, ...], policy: Policy) -> Iterator[Placed]:
        for number, (rule, line) in enumerate(zip(rules, self.lines[kind], strict=True), start=1):
            setting = rule.setting or policy.setting
            if setting is None:
                raise ConfigurationError(
                    f"{self.path.name}:{line}: a rule judges one defense setting",
                    found="no setting, neither in the rule nor at the top of the policy",
                    remedy='write setting = "LABEL" at the top: the setting to be deployed',
                )
            selects = {**rule.selects(), "setting": setting, "kind": kind}
            digest = hashlib.sha256(json.dumps(selects, sort_keys=True).encode()).hexdigest()
            yield Placed(kind, rule.name or f"{kind} {number}", line, rule, setting, digest)

    def _distinct(self, rules: tuple[Placed, ...]) -> None:
        names: dict[str, Placed] = {}
        selected: dict[str, Placed] = {}
        for placed in rules:
            if (other := names.setdefault(placed.name, placed)) is not placed:
                raise ConfigurationError(
                    f"{self.path.name}:{placed.line}: every rule has a name of its own",
                    found=f"{placed.name!r} stands on line {other.line} too",
                    remedy="rename one of them",
                )
            if (other := selected.setdefault(placed.fingerprint, placed)) is not placed:
                raise ConfigurationError(
                    f"{self.path.name}:{placed.line}: two rules must not contradict each other",
                    found=f"{placed.name!r} ({_bound(placed)}) speaks of the same findings as "
                    f"{other.name!r} on line {other.line} ({_bound(other)})",
                    remedy="keep one of them",
                )

    def _waivers(
        self, waivers: tuple[Waiver, ...], rules: tuple[Placed, ...]
    ) -> Mapping[str, tuple[Waiver, int]]:
        # Only by a name that somebody gave: a number would move to another rule with an insertion.
        known = [placed.name for placed in rules if placed.rule.name is not None]
        found: dict[str, tuple[Waiver, int]] = {}
        for waiver, line in zip(waivers, self.lines["waiver"], strict=True):
            if waiver.rule not in known:
                raise UnknownNameError.of(
                    f"rule of the waiver at {self.path.name}:{line}; a waiver needs the rule's own "
                    "`name`",
                    waiver.rule,
                    known,
                )
            if waiver.rule in found:
                raise ConfigurationError(
                    f"{self.path.name}:{line}: a rule has at most one waiver",
                    found=f"{waiver.rule!r} is waived on line {found[waiver.rule][1]} too",
                    remedy="keep one of them",
                )
            found[waiver.rule] = (waiver, line)
        return found


def _bound(placed: Placed) -> str:
    rule = placed.rule
    if isinstance(rule, Budget):
        return f"max = {rule.max:g}" if rule.max is not None else f"min = {rule.bound:g}"
    return f"margin = {rule.margin:g}" if isinstance(rule, Regression) else f"min = {rule.min:g}"
