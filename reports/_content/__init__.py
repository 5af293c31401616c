"""From a record to the document that every renderer prints."""

from __future__ import annotations

from pathlib import Path

from leakaudit.record import Record
from leakaudit.record.held import HeldPolicy

from .blocks import Document
from .changes import comparison, section_13
from .crosswalk import crosswalk, glossary
from .dataflow import split_section
from .decision import decision
from .evidence import evidence
from .evidence_index import Index
from .identity import identity
from .limits import limits
from .method import method
from .onepage import one_page
from .people import people
from .picture_files import load_pictures
from .policy import printable
from .recommendations import recommendations
from .release import release
from .repeat import repeat
from .risk import risk
from .threat import threat
from .tradeoff import trade_offs
from .wording import count, displayable

__all__ = ["Document", "comparison", "document"]


def document(
    record: Record,
    folder: Path,
    before: Record | None = None,
    policy: HeldPolicy | None = None,
) -> Document:
    """The report as plain data.

    Args:
        record: the audit.
        folder: where its pictures lie.
        before: an earlier audit, for section 13.
        policy: how the audit stands to somebody's budgets, for sections 2 and 9.
    """
    held = None if policy is None else printable(policy)
    shots = load_pictures(record, folder)
    shown = displayable(record)
    index = Index(shown)
    sections = [
        identity(index),
        one_page(index, shots),
        decision(held),
        split_section(index),
        people(index),
        threat(index),
        method(index),
        evidence(index, shots),
        trade_offs(index),
        risk(index, held),
        recommendations(index),
        limits(index),
        repeat(index),
    ]
    if before is not None:
        sections.append(section_13(index, displayable(before)))
    return Document(
        title=shown.title,
        audit_id=shown.audit_id,
        content_sha256=shown.content_sha256,
        created=shown.volatile.created,
        subtitle=(
            f"{count(len(shown.split.parties), 'party', 'parties')}, "
            f"{count(len(shown.cohort.victims), 'attacked patient')}, "
            f"{count(len(index.settings), 'setting')}, "
            f"{count(len(shown.adversaries), 'actor')}"
        ),
        sections=(*sections, release(index), crosswalk(), glossary()),
    )
