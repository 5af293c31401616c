"""`leakaudit explain`: everything about one name."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any, get_args

from pydantic import BaseModel

from leakaudit.cli.settings import settings
from leakaudit.cli.terminal import printable, say, table
from leakaudit.errors import UnknownNameError
from leakaudit.plugins import Kind, Plugin, load, names

CONFIGURATION = "configuration"
# Sphinx's `:class:` and the like mean nothing on a terminal.
_ROLE = re.compile(r":\w+:(?=`)")
# Candidates for which chance and ceiling of a metric are spelled out.
_AMONG = 100


def explain(name: str) -> None:
    """Print what is known of a name; one name may stand for several things.

    Raises:
        UnknownNameError: nothing is called so; the nearest name is suggested.
    """
    from leakaudit.threat.knowledge import PRESETS

    kinds = [kind for kind in Kind if name in names(kind)]
    for kind in kinds:
        _plugin(kind, name)
    if name in PRESETS:
        _adversary(name, PRESETS[name])
    tables = _tables()
    if name in tables:
        _table(name, tables[name])
    if not kinds and name not in PRESETS and name not in tables:
        known = [*PRESETS, *tables, *(known for kind in Kind for known in names(kind))]
        raise UnknownNameError.of("name", name, dict.fromkeys(known))


def _plugin(kind: Kind, name: str) -> None:
    plugin: type[Plugin] = load(kind, name)
    say(f"{printable(name)}  ({kind.noun}, {plugin.__module__})")
    say()
    _docstring(plugin)
    say()
    facts = {
        Kind.ATTACK: _attack,
        Kind.DEFENSE: _defense,
        Kind.METRIC: _metric,
        Kind.REPORT: _report,
    }.get(kind)
    for label, text in facts(plugin) if facts is not None else ():
        if text:
            say(f"{label + ':':<13}{printable(text)}")
    _settings(plugin)


def _attack(attack: Any) -> list[tuple[str, str]]:
    return [
        ("Recovers", attack.asset),
        ("Needs", ", ".join(attack.needs.words)),
        ("Criterion", f"{attack.criterion} (WP216)"),
        ("Family", attack.family),
        ("Source", attack.source),
    ]


def _defense(defense: Any) -> list[tuple[str, str]]:
    from leakaudit.exchange.defense import Defense

    claims = defense.claim is not Defense.claim
    return [
        (
            "Claim",
            "where its settings allow one; the report states it in full" if claims else "none",
        ),
        ("Not covered", defense.not_covered),
    ]


def _metric(metric: Any) -> list[tuple[str, str]]:
    built = metric()
    lowest, highest = metric.range
    chance, ceiling = built.chance(_AMONG), built.ceiling(_AMONG)
    return [
        ("Title", metric.title),
        ("Unit", metric.unit or "none"),
        ("Range", f"{_number(lowest)} to {_number(highest)}"),
        ("Leak is", str(metric.direction.value)),
        ("Chance", f"{chance:.4g} (among {_AMONG})" if chance is not None else "none stated"),
        ("Ceiling", f"{ceiling:.4g} (among {_AMONG})" if ceiling is not None else "none stated"),
        ("Meaning", metric.meaning),
        ("Remedy", metric.remedy),
        ("Source", metric.source),
        ("Here", built.available() or "available"),
    ]


def _report(report: Any) -> list[tuple[str, str]]:
    return [("Writes", report.file_name)]


def _adversary(name: str, preset: dict[str, Any]) -> None:
    say(f"{name}  (adversary preset)")
    say()
    say(f"{'Position:':<13}{preset['position']}")
    say(f"{'Behaviour:':<13}{preset.get('behaviour', 'passive')}")
    say(f"{'Also has:':<13}{', '.join(preset['grants'])}")
    say()
    say("What a position sees by itself follows from the split; grants add to it. In audit.toml:")
    members = ', members = ["PARTY"]' if preset["position"] == "party" else ""
    say(f'  adversaries = [{{ preset = "{name}"{members} }}]')


def _tables() -> dict[str, type[BaseModel]]:
    """The configuration and its tables, by name."""
    from leakaudit.accounting import Mechanism
    from leakaudit.plan.configuration import AuditConfiguration
    from leakaudit.policy import Policy
    from leakaudit.policy.model import AuditFloors
    from leakaudit.policy.reading import TABLES

    tables: dict[str, type[BaseModel]] = {CONFIGURATION: AuditConfiguration}
    for name, field in AuditConfiguration.model_fields.items():
        for candidate in (field.annotation, *get_args(field.annotation)):
            if inspect.isclass(candidate) and issubclass(candidate, BaseModel):
                tables[name] = candidate
    return tables | dict(TABLES) | {"policy": Policy, "audit": AuditFloors, "claim": Mechanism}


def _table(name: str, model: type[BaseModel]) -> None:
    owner = "policy" if model.__module__ == "leakaudit.policy.model" else "configuration"
    say(name if name in (CONFIGURATION, "policy", "claim") else f"{name}  (table of the {owner})")
    say()
    _docstring(model)
    _settings(model)


def _docstring(documented: type) -> None:
    for line in (inspect.getdoc(documented) or "").splitlines():
        say(printable(_ROLE.sub("", line).replace("``", "`")))


def _settings(model: type[BaseModel]) -> None:
    rows = list(settings(model))
    say()
    if rows:
        table("Settings", ("name", "kind", "default", "meaning"), rows)
    else:
        say("It has no settings.")


def _number(value: float) -> str:
    return "unbounded" if math.isinf(value) else f"{value:g}"
