"""Files are read side by side, and what comes of them is in order all the same."""

from __future__ import annotations

import threading
import time

import pytest

from leakaudit.cohorts import faults as reading
from leakaudit.cohorts.faults import each, followed
from leakaudit.errors import DataError


def test_results_and_faults_come_in_order_while_several_are_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_readers", lambda: 3)
    together = threading.Barrier(3, timeout=20)
    under_way, most = 0, 0
    lock = threading.Lock()

    def read(number: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if number < 3:
            together.wait()
        time.sleep(0.002 * (number % 3))
        with lock:
            under_way -= 1
        if number == 4:
            raise DataError("no four", found=number)
        if number == 7:
            raise MemoryError
        return number

    found: list[DataError] = []
    told: list[tuple[int, int]] = []
    with followed(lambda done, total: told.append((done, total))):
        assert list(each(range(9), read, found)) == [0, 1, 2, 3, 5, 6, 8]
    assert most == 3
    assert told == [(number, 9) for number in range(9)]
    assert [fault.rule for fault in found] == ["no four", "a file must fit into memory"]
    list(each(range(3, 4), read, found))
    assert len(told) == 9


def test_no_more_are_read_than_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_readers", lambda: 2)
    begun: list[int] = []
    results = each(range(50), begun.append, [])
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 4


def test_what_nobody_expected_is_not_swallowed() -> None:
    def read(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(each(range(5), read, []))
