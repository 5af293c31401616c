"""What odd inputs do: each kind is written, read as an audit reads it, and the answer is tabled.

    python benchmarks/inputs.py docs/results/inputs.md

Made-up heads, nobody's data; nothing but this folder is needed.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import odd_inputs as odd
from odd_inputs import NEW, SHAPE

from leakaudit.cli.starting import looked_at
from leakaudit.errors import DataError


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        name: what it is.
        write: fills an empty folder.
        right: what should happen: "loads", or a part of the message that refuses or warns.
        persons: how many persons there are, where it loads.
    """

    name: str
    write: Callable[[Path], None]
    right: str = "loads"
    persons: int = 3


KINDS = (
    Kind("BraTS folders, to 2021", odd.of_patients()),
    Kind("BraTS folders, 2023", odd.of_patients(suffixes=NEW, label=lambda m: m * 3)),
    Kind("two time points of each person (BraTS 2024)", odd.visits),
    Kind("all files in one folder", odd.flat),
    Kind("patients behind links", odd.linked),
    Kind("a hidden trash folder", odd.trash, "Passed over, hidden: .Trash-1000/"),
    Kind(
        "a patient copied and rescaled under another name", odd.copied, "may belong to two persons"
    ),
    Kind("one folder per site, many persons", odd.ward, "person_pattern"),
    Kind(
        "visits in folders below a person's",
        odd.pictures("{0}/20{1}1/i_{1}.png", "{0}/20{1}1/i_{1}_mask.png"),
    ),
    Kind(
        "patient names with spaces at their ends",
        odd.archive(names=("a", "a ", "b", "b", "c", " c")),
    ),
    Kind(
        "names that differ in case alone",
        odd.archive(names=("a", "A", "b", "b", "c", "c")),
        "case alone",
    ),
    Kind("BIDS with sessions", odd.bids),
    Kind("nnU-Net raw, version 2", odd.nnunet),
    Kind("Decathlon, label 1002", odd.described(), "1002 is 1"),
    Kind("dataset.json: training is null", odd.described(training=None), "must be a list"),
    Kind(
        "dataset.json: numbers where paths should be",
        odd.described(training=[{"image": 3, "label": 4}]),
        "must name an image and a label",
    ),
    Kind(
        "dataset.json: two modalities of one name",
        odd.described(modality={"0": "MR", "1": "MR"}),
        "each modality must occur once",
    ),
    Kind(
        "a table",
        odd.table_of_volumes(
            "a,1,n,v0.nii.gz,m0.nii.gz\na,2,n,v1.nii.gz,m1.nii.gz\nb,1,s,v2.nii.gz,m2.nii.gz\n"
        ),
        "holds one person",
        2,
    ),
    Kind(
        "a table with a missing file",
        odd.table_of_volumes("a,1,n,v9.nii.gz,m0.nii.gz\n"),
        "every file of a table must exist",
    ),
    Kind(
        "a table with two rows for one study",
        odd.table_of_volumes("a,1,n,v0.nii.gz,m0.nii.gz\na,1,n,v1.nii.gz,m1.nii.gz\n"),
        "once per study",
    ),
    Kind("images/ and masks/", odd.pictures("images/{0}_{1}.png", "masks/{0}_{1}.png")),
    Kind("12 bits in 16-bit PNG", odd.pictures(image=lambda v: (v * 4).astype(np.uint16))),
    Kind(
        "Hounsfield units in 16-bit TIFF",
        odd.pictures(
            "{0}/{0}_{1}.tif",
            "{0}/{0}_{1}_mask.tif",
            image=lambda v: (v * 2 - 1024).astype(np.int16),
        ),
    ),
    Kind(
        "TIFF with several pages",
        odd.pictures(
            "{0}/{0}_{1}.tif",
            "{0}/{0}_{1}_mask.tif",
            image=lambda v: np.stack([v] * 5).astype(np.float32),
        ),
        "channels first",
    ),
    Kind("images within [-1, 1]", odd.archive(image=lambda v: (v / 450 - 1).astype(np.float32))),
    Kind("64-bit integers", odd.archive(image=lambda v: v.astype(np.int64))),
    Kind(
        "volumes within [-1, 1]", odd.of_patients(image=lambda v: (v / 450 - 1).astype(np.float32))
    ),
    Kind(
        "a dark 8-bit image", odd.archive(image=lambda v: (v / 30).astype(np.uint8)), "nearly black"
    ),
    Kind(
        "one modality copied into three",
        odd.pictures(image=lambda v: np.dstack([v / 4] * 3).astype(np.uint8)),
        "are identical",
    ),
    Kind(
        "masks of 0, 1 and 2",
        odd.pictures(mask=odd.striped),
        "each value of the masks became a region",
    ),
    Kind(
        "masks with a palette",
        odd.pictures(mask=odd.striped, palette=True),
        "each value of the masks became a region",
    ),
    Kind(
        "masks in colours",
        odd.pictures(mask=odd.coloured),
        "each value of the masks became a region",
    ),
    Kind(
        "masks of 0, 1 and 255 (ignore)",
        odd.pictures(mask=lambda m: np.where(np.arange(24)[:, None] < 2, 255, m).astype(np.uint8)),
        "regions",
    ),
    Kind("masks of 1 and 2", odd.archive(mask=lambda m: m + 1), "regions"),
    Kind("masks of -1 and 1", odd.archive(mask=lambda m: m.astype(np.int8) * 2 - 1), "regions"),
    Kind("masks of 0 and 1000", odd.archive(mask=lambda m: m.astype(np.int16) * 1000)),
    Kind("NaN in masks", odd.archive(mask=lambda m: np.where(m, np.nan, 0.0)), "whole numbers"),
    Kind(
        "labels resampled linearly", odd.of_patients(label=lambda m: m * 0.5), "nearest neighbour"
    ),
    Kind("labels on a fourth axis (one-hot)", odd.of_patients(label=odd.fourth_axis), "one-hot"),
    Kind(
        "an axis of length 1",
        odd.of_patients(
            image=lambda v: v[..., None].astype(np.int16), label=lambda m: m[..., None] * 2
        ),
    ),
    Kind(
        "paediatric BraTS labels",
        odd.of_patients(
            names=("BraTS-PED-1-000", "BraTS-PED-2-000", "BraTS-PED-3-000"),
            suffixes=NEW,
            label=lambda m: m * np.resize(np.array([1, 2, 3, 4], dtype=np.uint8), (SHAPE[0], 1, 1)),
        ),
    ),
    Kind(
        "labels 3 and 4 under names of 2021",
        odd.of_patients(
            label=lambda m: m * (3 + np.arange(20)[:, None, None] % 2).astype(np.uint8)
        ),
        "one meaning for the whole cohort",
    ),
    Kind(
        "no lesion in any mask",
        odd.of_patients(label=lambda m: m * 0),
        "no lesion in any label map",
    ),
    Kind(
        "no labels in one patient",
        odd.one_changed(lambda path: odd.removed(path.with_name("b-seg.nii.gz"))),
        "must have labels",
    ),
    Kind(
        "a modality missing", odd.one_changed(odd.removed), "every patient must have every modality"
    ),
    Kind(
        "NaN in images",
        odd.of_patients(image=lambda v: np.where(v > 0, v, np.nan)),
        "must be finite",
    ),
    Kind(
        "colours in a volume",
        odd.one_changed(
            lambda p: odd.save(p, np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))
        ),
        "colours",
    ),
    Kind("a wrong checksum", odd.one_changed(odd.damaged), "must be readable"),
    Kind(
        "a file cut short",
        odd.one_changed(lambda p: p.write_bytes(p.read_bytes()[:900])),
        "must be readable",
    ),
    Kind(
        "a name in .gz that is not compressed",
        odd.one_changed(lambda p: p.write_bytes(gzip.decompress(p.read_bytes()))),
        "not compressed",
    ),
    Kind(
        "a Git LFS pointer",
        odd.one_changed(lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n")),
        "git lfs pull",
    ),
    Kind(
        "a header that promises 2048 x 2048 x 2048", odd.one_changed(odd.promising), "more than its"
    ),
    Kind(
        "an unknown data type",
        odd.one_changed(odd.bytes_at(70, (77).to_bytes(2, "little")), ending=".nii"),
        "not recognized",
    ),
    Kind(
        "a negative dimension",
        odd.one_changed(odd.bytes_at(42, (-20).to_bytes(2, "little", signed=True)), ending=".nii"),
        "its header says",
    ),
    Kind(
        "an infinite affine",
        odd.one_changed(odd.bytes_at(280, np.float32(np.inf).tobytes()), ending=".nii"),
        "must give every axis a direction",
    ),
    Kind("sform and qform that disagree", odd.two_forms, "the sform is taken"),
    Kind("neither sform nor qform", odd.no_form, "neither sform nor qform"),
    Kind(
        "gantry tilt",
        odd.of_patients(
            affine=np.array([[1, 0, 0, 0], [0, 1, 1.1, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
        ),
        "gantry tilt",
    ),
)


def tried(kind: Kind) -> tuple[bool, str, int]:
    """Whether it loads, what is said, and of how many persons."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        root.mkdir()
        kind.write(root)
        where = root / "cohort.csv" if (root / "cohort.csv").exists() else root
        try:
            found, survey = looked_at(where)
        except DataError as problem:
            return False, str(problem).replace(folder, ""), 0
        hidden = [f"Passed over, hidden: {name}" for name in survey.passed_over]
        notes = [*found.remarks, *survey.cohort.warnings, *hidden]
        return True, "; ".join(notes), len(survey.cohort.patient_ids)


def page() -> Iterator[str]:
    """The lines of docs/results/inputs.md."""
    yield "# What odd inputs do\n"
    yield "Every kind is written to disk, read by `leakaudit init`, and tabled by\n"
    yield "```bash\npython benchmarks/inputs.py docs/results/inputs.md\n```\n"
    yield "Loads: with the persons found and what is told. Refused: with the message.\n"
    yield "| input | | persons | said |\n|---|---|---|---|"
    for kind in KINDS:
        loads, said, persons = tried(kind)
        said = " ".join(said.split()).replace("|", "\\|").replace("<", "&lt;")
        said = said if len(said) <= 230 else f"{said[:229]}…"
        yield f"| {kind.name} | {'loads' if loads else 'refused'} | {persons or ''} | {said} |"


if __name__ == "__main__":
    text = "\n".join(page()) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        print(text)
