"""Whether an audit looked closely enough to be judged, by the floors of a policy."""

from __future__ import annotations

from collections.abc import Iterator

from leakaudit.errors import NoValidVerdictError
from leakaudit.policy.model import AuditFloors
from leakaudit.policy.reading import PolicyFile
from leakaudit.record import Record

NO_FLOORS = (
    "no [audit] floors in the policy: how closely the audit looked was its own choice "
    "(see `leakaudit explain audit`)"
)


def check_looked(file: PolicyFile, record: Record) -> None:
    """Hold an audit against the floors of a policy, where it has any.

    Raises:
        NoValidVerdictError: it falls short of one.
    """
    floors = file.policy.audit
    short = [] if floors is None else list(_short(floors, record))
    if short:
        raise NoValidVerdictError(
            f"{file.path.name}: an audit counts where it keeps to [audit]",
            found="; ".join(short),
            remedy="look more closely, then check again; the floors are set by "
            f"{'' if floors is None else floors.source}",
        )


def _short(floors: AuditFloors, record: Record) -> Iterator[str]:
    for name, least, found in (
        ("seeds", floors.seeds, len(record.seeds)),
        ("patients", floors.patients, len(record.cohort.victims)),
        ("auxiliary", floors.auxiliary, record.cohort.auxiliary.patients),
    ):
        if least is not None and found < least:
            yield f"{name} = {found}, {least} are needed"
    named = {attack.label: attack.name for attack in record.attacks}
    mounted = {label for adversary in record.adversaries for label in adversary.mounted}
    tried = mounted | {named[label] for label in mounted if label in named}
    yield from (f"nobody mounted {each}" for each in floors.attacks if each not in tried)
    busy = {adversary.name for adversary in record.adversaries if adversary.mounted}
    yield from (f"{each} mounted no attack" for each in floors.adversaries if each not in busy)
    if floors.weaknesses == "refused":
        yield from record.weaknesses
