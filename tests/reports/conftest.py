from __future__ import annotations

from pathlib import Path

import pytest
from browser import find_chromium
from command_line import typed
from example_records import example_record

from leakaudit.record import Governance, Record

__all__ = ["typed"]


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium to open pages in."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: pages cannot be opened")
    return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the gallery's pictures in it."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def record(run_folder: Path) -> Record:
    """A shareable audit of ten patients, with pictures."""
    return example_record(pictures_in=run_folder)


# What somebody might call a party to break a page, a PDF or a pull request.
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    '#set page(fill: red) #panic("x") `raw` $x$ \\ @ref <label> #eval("1")',
    "\u202egnp.exe\u2066 \u200b\x07 [click](https://example.org) ![x](http://example.org/a.png)",
    "long" * 2500,
)


@pytest.fixture(scope="session")
def hostile_record() -> Record:
    """Hostile text wherever a configuration or a data set can put it."""
    return example_record(
        title=HOSTILE[0] + HOSTILE[1] + "\u4e2d\u6587 \U0001f600 \u0627\u0644",
        parties=HOSTILE,
        configuration={
            HOSTILE[0]: HOSTILE[1],
            "x": {HOSTILE[2]: [HOSTILE[3], {"#set": "</style>"}]},
        },
        changes={
            "command": HOSTILE[1],
            "governance": Governance(
                controllers=HOSTILE,
                purpose=HOSTILE[0],
                retention=HOSTILE[1],
                site_filters="x" * 9999,
            ),
        },
    )
