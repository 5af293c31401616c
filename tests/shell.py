"""Types the commands of a page as a user would, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fenced import blocks


class Shell:
    """Types the commands of a page, in a folder of its own."""

    def __init__(self, folder: Path, site: Path | None = None) -> None:
        self.folder = folder
        self.said: list[str] = []
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
        if site is not None:
            self.environment["PYTHONPATH"] = str(site)

    def type(self, command: str) -> str:
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        self.said.append(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def typed_page(page: Path, shell: Shell, prepared: Callable[[str], str]) -> None:
    """Type every command of a page's blocks that are to be run."""
    for block in blocks(page, "bash"):
        if block.reason is None:
            for command in block.text.strip().splitlines():
                shell.type(prepared(command))
