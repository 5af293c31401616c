"""What the tests of the command line share."""

from __future__ import annotations

from command_line import typed

__all__ = ["typed"]
