"""All that is wrong with a cohort, in one message: files, rules, remedies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from leakaudit.errors import CohortFaultsError, DataError
from leakaudit.escaping import printable

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_LISTED = 40
_MOST_READERS = 8


def each(
    items: Iterable[Item], read: Callable[[Item], Result], faults: list[DataError]
) -> Iterator[Result]:
    """What could be read, in order; what could not is added to the faults.

    Several items are read at a time, by threads: files are mostly decompressed, which Python lets
    threads do side by side. No more are held than are read at a time.

    Args:
        items: to be read.
        read: one of them; it may be called from any thread.
        faults: added to while the results are taken.
    """
    wanted = list(items)
    told = _FOLLOWED.get()
    with ThreadPoolExecutor(_readers(), thread_name_prefix="reader") as pool:
        ahead = [pool.submit(read, item) for item in wanted[: _readers()]]
        for number, item in enumerate(wanted):
            future = ahead.pop(0)
            if (further := number + _readers()) < len(wanted):
                ahead.append(pool.submit(read, wanted[further]))
            told(number, len(wanted))
            try:
                result = future.result()
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


@contextmanager
def followed(told: Callable[[int, int], None]) -> Iterator[None]:
    """Have it told how far reading is, within the block: items read, and items in all."""
    token = _FOLLOWED.set(told)
    try:
        yield
    finally:
        _FOLLOWED.reset(token)


def _nobody(done: int, total: int) -> None:
    del done, total


_FOLLOWED: ContextVar[Callable[[int, int], None]] = ContextVar("followed", default=_nobody)


def _readers() -> int:
    return min(_MOST_READERS, os.cpu_count() or 1)


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
