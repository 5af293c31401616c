"""The command-line reference, written from the commands themselves.

`python -m leakaudit.cli.reference docs/cli.md` writes it; a test compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer.main

from leakaudit.cli.app import app

_WIDTH = 88
_TOP = """# The command line

Written by `make docs` from the commands themselves: change them, not this page.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the policy is violated (`check`); a stated epsilon is false (`claim`) |
| 2 | no valid verdict: one patient or seed, a failed control, another baseline's conditions |
| 3 | internal error, or cells that did not finish; `--debug` shows where |
| 4 | usage, configuration, data or environment: the message says what to do |
| 5 | nothing to evaluate |
| 130 | interrupted; the same command continues |
"""


def reference() -> str:
    """The page as markdown."""
    group = typer.main.get_group(app)
    parts = [_TOP]
    with group.make_context("leakaudit", [], resilient_parsing=True) as parent:
        parent.terminal_width = _WIDTH
        parts.append(_section("leakaudit", group.get_help(parent)))
        for name, command in group.commands.items():
            with command.make_context(
                name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH
            ) as context:
                parts.append(_section(f"leakaudit {name}", command.get_help(context)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## `{title}`\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
