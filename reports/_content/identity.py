"""Section 0: which audit this is, and when it stops being valid."""

from __future__ import annotations

from leakaudit.record import CohortSummary

from .blocks import Items, Paragraph, Section, Terms, code, say
from .evidence_index import Index
from .wording import count, joined


def named(cohort: CohortSummary) -> str:
    """The data's name and where they come from, once where both are the same."""
    if cohort.source == cohort.name:
        return cohort.name
    return f"{cohort.name}: {cohort.source}"


def identity(index: Index) -> Section:
    """What was audited, with the fingerprints that tie this paper to the record."""
    record = index.record
    environment, cohort = record.environment, record.cohort
    commit = environment.git_commit or "not in a git checkout"
    if environment.git_dirty:
        commit += " (with uncommitted changes)"
    attacks = joined([attack.label for attack in record.attacks]) or "none"
    return Section(
        "0",
        "Identity of this audit",
        (
            Terms(
                (
                    ("Audit", say(code(record.audit_id))),
                    ("Date", say(record.volatile.created, " (no hash covers it)")),
                    ("SHA-256 of the record", say(code(record.content_sha256 or "not sealed"))),
                    ("SHA-256 of the configuration", say(code(record.configuration_sha256))),
                    ("Data", say(named(cohort))),
                    ("Fingerprint of the data", say(code(cohort.fingerprint))),
                    ("leakaudit", say(environment.leakaudit, ", commit ", code(commit))),
                    ("Schema of the record", say(record.schema_version)),
                )
            ),
            Paragraph(
                say(
                    "Scope: what ",
                    joined([adversary.name for adversary in record.adversaries], "or") or "nobody",
                    " can learn, from what crosses in this split, about ",
                    count(len(cohort.victims), "patient"),
                    ", with these attacks: ",
                    attacks,
                    ". Nothing is said about other actors or other attacks; appendix A says what "
                    "was tried on the finished network.",
                )
            ),
            Paragraph(say("A new audit is due when any of these change:")),
            Items(
                (
                    say("the split: a level, a skip connection, who holds the labels, the network"),
                    say("a defense or any of its settings"),
                    say("the data: a modality, a scanner, a site, or noticeably more patients"),
                    say("the parties, or what any of them may see"),
                    say("a published attack stronger than those of section 6"),
                )
            ),
        ),
    )
