"""Section 4: what is to be protected, and whose it is."""

from __future__ import annotations

from .blocks import Block, Callout, Cell, Column, Items, Paragraph, Section, Table, say
from .dataflow import shape_text
from .evidence_index import Index
from .identity import named
from .wording import joined

SMALL_GROUP = 10


def people(index: Index) -> Section:
    """Assets, groups of patients, small subgroups."""
    cohort = index.record.cohort
    groups = (
        ("Attacked (training)", cohort.training),
        ("The adversary's own (auxiliary)", cohort.auxiliary),
        ("Utility (validation)", cohort.validation),
    )
    table = Table(
        "groups",
        say("Patients belong to exactly one group: no patient is in two."),
        (
            Column("Group", weight=2),
            Column("Patients", numeric=True),
            Column("Samples", numeric=True),
            Column("With a lesion", numeric=True),
        ),
        tuple(
            (
                Cell(say(name)),
                Cell(say(f"{group.patients:,}"), order=group.patients),
                Cell(say(f"{group.samples:,}"), order=group.samples),
                Cell(say(f"{group.with_lesion:,}"), order=group.with_lesion),
            )
            for name, group in groups
        ),
    )
    blocks: list[Block] = [
        Paragraph(
            say(
                f"{named(cohort)}. Modalities: {joined(cohort.modalities)}; "
                f"images of "
                f"{shape_text(cohort.space)} voxels. {cohort.scaling[:1].upper()}"
                f"{cohort.scaling[1:]}."
            )
        ),
        Items(
            (
                say("Images: the scans themselves, from which a face or an anatomy can be seen."),
                say("Lesion masks: the diagnosis, drawn (regions ", joined(cohort.regions), ")."),
                say("Identity: linking a message to a person through another scan."),
            )
        ),
        table,
    ]
    small = [name for name, group in groups if 0 < group.with_lesion < SMALL_GROUP]
    if small:
        blocks.append(
            Callout(
                "Small groups",
                say(
                    f"Fewer than {SMALL_GROUP} patients with a lesion in: {joined(small)}. Results "
                    "for them can turn on one person."
                ),
                "caution",
            )
        )
    if cohort.warnings:
        blocks.append(Paragraph(say("What was odd about the data:")))
        blocks.append(Items(tuple(say(warning) for warning in cohort.warnings)))
    return Section("4", "Assets and people", tuple(blocks))
