"""What a report is: a renderer that turns a record, and nothing else, into one file."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from leakaudit.errors import ConfigurationError
from leakaudit.plugins import Plugin
from leakaudit.record.held import HeldPolicy
from leakaudit.record.model import Record


class Report(Plugin):
    """Base of all renderers. Registered in the entry-point group `leakaudit.reports`.

    A renderer reads the record and, where the cohort is shareable, the pictures that the record
    lists. It never imports torch and never reaches the network. The same record gives the same
    bytes.
    """

    file_name: ClassVar[str]
    """What :meth:`render` writes, such as `report.html`."""

    @abstractmethod
    def render(
        self,
        record: Record,
        folder: Path,
        *,
        before: Record | None = None,
        policy: HeldPolicy | None = None,
    ) -> Path:
        """Write the report beside the record.

        Args:
            record: the audit to print.
            folder: the run folder; pictures are looked up in it and the file is written to it.
            before: an earlier audit to compare with; its changes become section 13.
            policy: how the audit stands to somebody's budgets; passed only where there is one.

        Returns:
            The path of the file, written whole or not at all.

        Raises:
            EnvironmentProblemError: the folder cannot be written.
        """

    def compare(self, before: Record, now: Record, target: Path) -> Path:
        """Write what changed between two audits; a renderer may do without.

        Args:
            before: the earlier audit.
            now: the later one.
            target: the file to write.

        Returns:
            The path of the file, written whole or not at all.

        Raises:
            ConfigurationError: this renderer cannot.
            EnvironmentProblemError: the file cannot be written.
        """
        del before, now
        raise ConfigurationError(
            "a comparison is written by a report that can compare",
            found=f"{type(self).__name__} for {target.name}",
            remedy="name a file that ends in .html, .pdf or .md",
        )
