"""What the tests of the gate share."""

from __future__ import annotations

from command_line import typed

__all__ = ["typed"]
