"""Section 4: what is to be protected, and whose it is."""

from __future__ import annotations

import numpy as np

from leakaudit.record import Asset, CohortSummary, Record

from .blocks import Block, Callout, Cell, Column, Items, Paragraph, Section, Table, say, strong
from .evidence_index import Index, actor, owner
from .identity import named
from .messages import shape_text
from .wording import ASSET, joined

SMALL_GROUP = 10
WHY: dict[Asset, str] = {
    "identity": "A message linked to a person through another scan makes all else that is learned "
    "speak of that person.",
    "images": "The scan itself: anatomy, disease, in three dimensions a face.",
    "masks": "The diagnosis, drawn: where the lesion is and how large.",
    "membership": "Having been a training patient can itself reveal a disease or a hospital stay.",
    "attribute": "A property of the patient, such as that there is a tumour, and where.",
}


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
        _assets(index),
        table,
    ]
    thirds = _thirds(cohort)
    if thirds:
        blocks.append(Paragraph(say(thirds)))
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


def _answerless(record: Record, asset: Asset, adversary: str) -> bool:
    """Whether attacks were mounted on it all the same: section 7 tells what came of them."""
    return any((f.asset, f.adversary) == (asset, adversary) for f in record.findings)


def _assets(index: Index) -> Table:
    """What could be learned, why it matters, who holds it and who was tried on it."""
    split = index.record.split
    holders = joined([f"{p.name} ({joined(p.modalities)})" for p in split.parties])
    labels = owner(split.labels_at)
    asked: dict[Asset, list[str]] = {}
    for question in index.questions:
        tried = any(v.attack is not None for v in index.verdicts(question))
        asked.setdefault(question.asset, [])
        if tried:
            asked[question.asset].append(actor(question.adversary))
        elif _answerless(index.record, question.asset, question.adversary.name):
            asked[question.asset].append(f"{actor(question.adversary)}, without a usable answer")
    rows = []
    for asset, why in WHY.items():
        if asset in ("membership", "attribute") and asset not in asked:
            continue
        held = labels if asset == "masks" else holders
        who = joined(asked.get(asset, [])) or "nobody: not attacked in this audit"
        rows.append(
            (
                Cell(say(strong(f"{ASSET[asset][:1].upper()}{ASSET[asset][1:]}"))),
                Cell(say(why)),
                Cell(say(held)),
                Cell(say(who)),
            )
        )
    regions = joined(index.record.cohort.regions) or "none"
    return Table(
        "assets",
        say(f"What is to be protected. Lesion masks are of the regions {regions}."),
        (
            Column("Asset", weight=0.9),
            Column("Why it matters to the patient", weight=2.2),
            Column("Held by", weight=1.5),
            Column("Attacked by", weight=1.2),
        ),
        tuple(rows),
    )


def _thirds(cohort: CohortSummary) -> str:
    """How the attacked patients divide by lesion size: the subgroups of section 7."""
    sizes = np.asarray(cohort.lesion_fraction, dtype=float)
    if len(sizes) < 3 or len(set(sizes.tolist())) < 3:
        return ""
    first, second = np.quantile(sizes, [1 / 3, 2 / 3])
    counts = ((sizes <= first).sum(), ((sizes > first) & (sizes <= second)).sum())
    return (
        f"Subgroups by lesion size, as a share of the voxels: {counts[0]} patients with small "
        f"lesions (up to {100 * first:.2g} %), {counts[1]} in the middle, "
        f"{len(sizes) - sum(counts)} with large lesions (above {100 * second:.2g} %)."
    )
