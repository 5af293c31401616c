"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Said, Typed

from leakaudit.cli.app import execute


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = execute([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run
