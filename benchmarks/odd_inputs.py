"""Writers of odd inputs: made-up heads, nobody's data, as somebody might hand them over."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

nib: Any = nibabel
SHAPE = (20, 24, 10)
# Labels of BraTS to 2021 in turns along the first axis.
TURNS = np.resize(np.array([1, 2, 4], dtype=np.uint8), (SHAPE[0], 1, 1))
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
OLD = ("t1", "t1ce", "t2", "flair")
NEW = ("t1n", "t1c", "t2w", "t2f")

Array = npt.NDArray[Any]


def head(seed: int, shape: tuple[int, ...] = SHAPE) -> tuple[Array, Array]:
    """Brightness (x, y, z), 0 outside and 1 to 900 inside, and a lesion."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.7
    values = 300 + 200 * np.sin((4 + seed % 5) * axes[0] + seed) + 100 * axes[1]
    lesion = inside & ((axes[0] - 0.2) ** 2 + axes[1] ** 2 + axes[2] ** 2 < 0.08)
    values = np.where(lesion, values + 300, values) + 20 * rng.standard_normal(shape)
    return np.where(inside, np.clip(values, 1, 900), 0), lesion.astype(np.uint8)


def save(path: Path, voxels: Array, affine: Array = LPS) -> None:
    """Write a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ascontiguousarray(voxels), affine), path)


def patients(
    root: Path,
    names: tuple[str, ...] = ("a", "b", "c"),
    *,
    first: int = 0,
    suffixes: tuple[str, ...] = OLD,
    image: Callable[[Array], Array] = lambda v: v.astype(np.int16),
    label: Callable[[Array], Array] = lambda mask: mask * TURNS,
    affine: Array = LPS,
    ending: str = ".nii.gz",
) -> None:
    """One folder per patient with four images and labels."""
    for seed, name in enumerate(names, start=first):
        for at, suffix in enumerate(suffixes):
            voxels = image(head(10 * seed + at)[0])
            save(root / name / f"{name}-{suffix}{ending}", voxels, affine)
        save(root / name / f"{name}-seg{ending}", label(head(10 * seed)[1]), affine)


def one_changed(change: Callable[[Path], None], **given: Any) -> Callable[[Path], None]:
    """Patients, one of whose files is changed afterwards."""

    def write(root: Path) -> None:
        patients(root, **given)
        change(root / "b" / f"b-t2{given.get('ending', '.nii.gz')}")

    return write


def of_patients(**given: Any) -> Callable[[Path], None]:
    return lambda root: patients(root, **given)


def bytes_at(place: int, value: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        held = bytearray(path.read_bytes())
        held[place : place + len(value)] = value
        path.write_bytes(bytes(held))

    return change


def damaged(path: Path) -> None:
    held = path.read_bytes()
    bytes_at(len(held) // 2, b"\xff" * 16)(path)


def promising(path: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((2048, 2048, 2048))
    header["vox_offset"] = 352
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 104))


def two_forms(root: Path) -> None:
    patients(root)
    for path in root.rglob("*.nii.gz"):
        image = nib.load(path)
        image.set_sform(LPS, 1)
        image.set_qform(np.eye(4), 1)
        nib.save(image, path)


def no_form(root: Path) -> None:
    patients(root)
    for path in root.rglob("*.nii.gz"):
        image = nib.load(path)
        image.set_sform(None, 0)
        image.set_qform(None, 0)
        nib.save(image, path)


def copied(root: Path) -> None:
    patients(root)
    for path in list((root / "a").iterdir()):
        voxels = np.asarray(nib.load(path).dataobj)
        if "seg" not in path.name:
            voxels = np.where(voxels > 0, voxels * 2 + 3, 0).astype(np.int16)
        save(root / "z" / path.name.replace("a-", "z-"), voxels)


def linked(root: Path) -> None:
    patients(root / ".store", ("a", "b"))
    patients(root, ("c",), first=2)
    for name in ("a", "b"):
        (root / name).symlink_to(root / ".store" / name)


def write_slices(
    root: Path,
    image: Callable[[Array], Array] = lambda v: (v / 900 * 255).astype(np.uint8),
    mask: Callable[[Array], Array] = lambda m: m,
    names: tuple[str, ...] = ("a", "a", "b", "b", "c", "c"),
) -> None:
    heads = [head(seed, (24, 24, 9)) for seed, _ in enumerate(names)]
    images = np.stack([image(values[..., 4]) for values, _ in heads])[..., None]
    np.savez(root / "d.npz", image=images, mask=np.stack([mask(m[..., 4]) for _, m in heads]),
             patient=np.array(names))  # fmt: skip


def archive(**given: Any) -> Callable[[Path], None]:
    return lambda root: write_slices(root, **given)


def pictures(
    name: str = "{0}/{0}_{1}.png",
    cover: str = "{0}/{0}_{1}_mask.png",
    image: Callable[[Array], Array] = lambda v: (v / 900 * 255).astype(np.uint8),
    mask: Callable[[Array], Array] = lambda m: m * 255,
    palette: bool = False,
) -> Callable[[Path], None]:
    def put(path: Path, pixels: Array) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".tif":
            tifffile.imwrite(path, pixels)
        else:
            Image.fromarray(pixels).save(path)

    def write(root: Path) -> None:
        for seed, person in enumerate("abc"):
            values, lesion = head(seed, (24, 24, 9))
            for z in (3, 4):
                put(root / name.format(person, z), image(values[..., z]))
                put(root / cover.format(person, z), mask(lesion[..., z]))
                if palette:
                    picture = Image.fromarray(mask(lesion[..., z]), mode="P")
                    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
                    picture.save(root / cover.format(person, z))

    return write


def striped(mask: Array) -> Array:
    """Two classes in turns."""
    return mask * (1 + np.arange(mask.shape[0])[:, None] % 2).astype(np.uint8)


def coloured(mask: Array) -> Array:
    classes = striped(mask)
    return np.dstack([(classes == 1) * 255, (classes == 2) * 255, mask * 0]).astype(np.uint8)


def described(**description: Any) -> Callable[[Path], None]:
    """A Decathlon folder; fields of dataset.json as given."""

    def write(root: Path) -> None:
        listed = []
        for seed in range(3):
            values, lesion = head(seed)
            save(root / f"imagesTr/c{seed}.nii.gz", np.stack([values, values.T.T + 1], -1))
            save(root / f"labelsTr/c{seed}.nii.gz", lesion.astype(np.int16) * 1002)
            listed.append(
                {"image": f"imagesTr/c{seed}.nii.gz", "label": f"labelsTr/c{seed}.nii.gz"}
            )
        content = {"modality": {"0": "T2", "1": "ADC"}, "labels": {"0": "none", "1002": "zone"},
                   "training": listed, **description}  # fmt: skip
        (root / "dataset.json").write_text(json.dumps(content))

    return write


def nnunet(root: Path) -> None:
    for seed in range(3):
        for channel in range(2):
            save(root / f"imagesTr/c_{seed:03d}_{channel:04d}.nii.gz", head(seed + 5 * channel)[0])
        save(root / f"labelsTr/c_{seed:03d}.nii.gz", head(seed)[1])
    content = {"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "zone": 1}}
    (root / "dataset.json").write_text(json.dumps(content))


def bids(root: Path) -> None:
    for seed, (person, session) in enumerate([("1", "a"), ("1", "b"), ("2", "a"), ("3", "a")]):
        where = f"sub-{person}/ses-{session}/anat/sub-{person}_ses-{session}"
        save(root / f"{where}_T1w.nii.gz", head(seed)[0].astype(np.float32))
        save(root / f"derivatives/lesions/{where}_dseg.nii.gz", head(seed)[1])
    (root / "dataset_description.json").write_text('{"Name": "x"}')


def table_of_volumes(rows: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for seed in range(3):
            save(root / f"v{seed}.nii.gz", head(seed)[0].astype(np.int16))
            save(root / f"m{seed}.nii.gz", head(seed)[1])
        (root / "cohort.csv").write_text("person,study,site,T1,label\n" + rows)

    return write


def visits(root: Path) -> None:
    patients(
        root,
        tuple(f"BraTS-GLI-0000{person}-10{visit}" for person in range(3) for visit in range(2)),
        suffixes=NEW,
        label=lambda mask: mask * 3,
    )


def flat(root: Path) -> None:
    patients(root / "x")
    for path in list(root.rglob("*.nii.gz")):
        path.rename(root / path.name)
    for folder in (root / "x").iterdir():
        folder.rmdir()
    (root / "x").rmdir()


def trash(root: Path) -> None:
    patients(root)
    patients(root / ".Trash-1000", ("a",))


def ward(root: Path) -> None:
    pictures("north/{0}_{1}.png", "north/{0}_{1}_mask.png")(root)


def fourth_axis(mask: Array) -> Array:
    return np.stack([1 - mask, mask], axis=-1)


def removed(path: Path) -> None:
    path.unlink()
