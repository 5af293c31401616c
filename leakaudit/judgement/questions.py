"""What an audit was asked, and what did not finish: for the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leakaudit.cells.finished import Finished
from leakaudit.cells.views import victims_of
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.plan import AttackId, CellId, InterferedId, TrainingId
from leakaudit.plugins import Kind, build
from leakaudit.record import Asset, Failure

_ALWAYS: tuple[Asset, ...] = ("images", "identity")
_WHERE_TRIED: tuple[Asset, ...] = ("attribute", "membership")


def questions(
    configuration: AuditConfiguration, done: Finished
) -> Iterator[tuple[str, str, str, Asset, str]]:
    """Every (setting, adversary, victim, asset) that somebody may ask about."""
    split = configuration.split
    goals = _goals(configuration)
    asked = (*_ALWAYS, "masks", *(a for a in _WHERE_TRIED if a in goals.values()))
    for stack in configuration.defenses:
        for adversary in configuration.adversaries:
            for asset in asked:
                absent = _why_absent(done, stack.label, adversary.name, goals, asset)
                for victim in victims_of(asset, adversary, split):
                    yield stack.label, adversary.name, victim, asset, absent


def _goals(configuration: AuditConfiguration) -> dict[str, Asset]:
    """What each attack of the configuration recovers."""
    return {
        use.title: build(Kind.ATTACK, use.use, use.settings).asset for use in configuration.attacks
    }


def _why_absent(
    done: Finished, setting: str, adversary: str, goals: Mapping[str, Asset], asset: Asset
) -> str:
    wanted = {asset, "images"} if asset == "identity" else {asset}  # read off images too
    reasons = [
        f"{attack.attack}: {reason}"
        for attack, result in done.attacks.items()
        if (attack.training.setting, attack.adversary) == (setting, adversary)
        and goals.get(attack.attack) in wanted
        and (reason := result.unasked if result.status == "done" else result.reason)
        and not attack.shuffled
    ]
    return "; ".join(dict.fromkeys(reasons)) or "no attack of this audit goes for it"


def failures(done: Finished) -> Iterator[Failure]:
    """What did not finish, and why."""
    for attack, result in done.attacks.items():
        if result.status == "attack invalid":
            yield Failure(
                stage="control" if attack.shuffled else "attack",
                where=_where(attack),
                kind="attack invalid",
                reason=result.reason,
            )
    for failure in done.failures:
        training = not isinstance(failure.cell, AttackId)
        yield Failure(
            stage="training" if training else "attack",
            where=_where(failure.cell),
            kind="error",
            reason=failure.reason,
        )


def _where(cell: CellId) -> str:
    if isinstance(cell, TrainingId):
        return f"{cell.setting}, seed {cell.seed}"
    if isinstance(cell, InterferedId):
        where = _where(cell.training)
        return f"{where}, with {cell.adversary} mounting {cell.attack}"
    again = f", repeat {cell.repeat}" if cell.repeat else ""
    return f"{cell.attack} by {cell.adversary} on {_where(cell.training)}{again}"
