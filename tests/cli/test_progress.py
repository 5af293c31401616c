"""How a run tells where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from leakaudit.cli.progress import _Counts, _Lines, duration, in_words, watching


@dataclass(frozen=True)
class Stand:
    done: int = 0
    total: int = 4
    fraction: float = 0.0
    seconds_left: float | None = None
    doing: dict[str, str] = field(default_factory=dict)
    dashboard: str | None = None
    waiting: str = ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "a few seconds"), (44, "about 40 s"), (89, "about 90 s"), (90, "about 2 min"),
     (3599, "about 60 min"), (7200, "about 2.0 h")],
)  # fmt: skip
def test_durations_are_what_somebody_would_say(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_time_left_is_said_where_it_is_known() -> None:
    assert in_words(Stand()) == "0 of 4 cells, 0%"
    assert in_words(Stand(1, 4, 0.25, 180.0)) == "1 of 4 cells, 25%, about 3 min left"
    assert in_words(Stand(4, 4, 1.0, 0.0)) == "4 of 4 cells, 100%"
    assert in_words(Stand(waiting="no worker yet")) == "0 of 4 cells, 0%: no worker yet"


def test_what_is_under_way_is_harmless_and_short() -> None:
    doing = {"a": "training\x1b[2J", "b": "judging", "c": "x", "d": "y"}
    assert in_words(Stand(doing=doing)) == r"0 of 4 cells, 0%: training\x1b[2J; judging; 2 more"


def test_a_log_gets_a_line_per_cell_and_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = _Lines(lambda: now)
    lines(Stand(0))
    for second in range(1, 30):
        now = float(second)
        lines(Stand(0, fraction=second / 100))
    lines(Stand(1, fraction=0.3))
    lines(Stand(1, fraction=0.31))
    said = capsys.readouterr().err.splitlines()
    assert said == ["0 of 4 cells, 0%", "0 of 4 cells, 20%", "1 of 4 cells, 30%"]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(quiet=True) as watch:
        watch(Stand(1))
    out, err = capsys.readouterr()
    assert not out
    assert not err


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with watching(quiet=False) as watch:
        watch(Stand(1, 4, 0.25, 180.0, {"a": "[red]training[/red]"}))
    out, err = capsys.readouterr()
    assert not out
    assert "1 of 4 cells, 25%, about 3 min left: [red]training[/red]" in err


def test_reading_is_told_only_where_somebody_waits(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    counts = _Counts(lambda: now[0])
    for done, at in ((1, 1.0), (7, 21.0), (8, 22.0), (15, 45.0)):
        now[0] = at
        counts(done, 20)
    assert capsys.readouterr().err == "read 7 of 20\nread 15 of 20\n"
