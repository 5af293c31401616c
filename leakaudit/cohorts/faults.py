"""All that is wrong with a cohort, in one message: files, rules, remedies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from leakaudit.errors import CohortFaultsError, DataError
from leakaudit.escaping import printable

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_LISTED = 40


def each(
    items: Iterable[Item], read: Callable[[Item], Result], faults: list[DataError]
) -> Iterator[Result]:
    """What could be read; what could not is added to the faults."""
    for item in items:
        try:
            result = read(item)
        except DataError as fault:
            faults.append(fault)
        except MemoryError:
            faults.append(
                DataError(
                    "a file must fit into memory",
                    found=str(getattr(item, "original", item)),
                    remedy="leave it out with `exclude`, or use a machine with more memory",
                )
            )
        else:
            yield result


def raise_all(faults: list[DataError]) -> None:
    """One error for all faults; nothing where there are none.

    Raises:
        DataError: the only fault, or a list of all of them.
    """
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    by_rule: dict[tuple[str, str], list[str]] = {}
    for fault in faults:
        by_rule.setdefault((fault.rule, fault.remedy), []).append(str(fault.found))
    lines = []
    for (rule, remedy), found in by_rule.items():
        lines.append(f"{printable(rule)}; do: {printable(remedy)}")
        lines += [f"  {printable(one)}" for one in found[:_MOST_LISTED]]
        if len(found) > _MOST_LISTED:
            lines.append(f"  and {len(found) - _MOST_LISTED} more")
    raise CohortFaultsError(
        "a cohort must have no faults",
        found="\n".join([f"{len(faults)}", *lines]),
        remedy="mend the files, or leave them out with `exclude` under [cohort]",
    )
