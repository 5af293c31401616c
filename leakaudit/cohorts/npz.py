"""Slices in one .npz file: image, mask, patient, and optionally slice, channels, copied_channel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._files import UNREADABLE, excluded
from leakaudit.cohorts._persons import Owner, plain
from leakaudit.cohorts._slices import SliceCase, Slices, SliceSource, default_channels
from leakaudit.cohorts._stack import Survey
from leakaudit.cohorts.checks import check_any_patients, check_same_shape
from leakaudit.errors import DataError

_REQUIRED = ("image", "mask", "patient")


@dataclass(frozen=True)
class NpzContents:
    """What a .npz file holds, as stored.

    Attributes:
        images: (n, m, h, w), the chosen modalities.
        masks: (n, h, w).
        owners: (n,) name of each sample's case.
        positions: (n,) slice numbers.
        modalities: (m,) names.
        patients: the cases to use and whose they are, sorted.
        warnings: who was left out.
    """

    images: npt.NDArray[Any]
    masks: npt.NDArray[Any]
    owners: npt.NDArray[np.str_]
    positions: npt.NDArray[np.int64]
    modalities: tuple[str, ...]
    patients: dict[str, Owner]
    warnings: tuple[str, ...]


class NpzSlices(SliceSource):
    """Slices of many patients in one .npz file.

    Arrays: `image` (n, h, w, m), `mask` (n, h, w), `patient` (n,) names; optional `slice` (n,)
    numbers, `study` and `site` (n,), `channels` (m,) modality names, `copied_channel` names of
    patients one of whose modalities is a copy of another: they are left out.
    """

    def survey(self) -> Survey:
        """Read the file.

        Raises:
            DataError: it is not such a file, or voxels, labels or shapes break a rule.
        """
        contents = self.contents()

        def case(name: str, owner: Owner) -> SliceCase:
            own = np.flatnonzero(contents.owners == name)
            return SliceCase(
                name,
                owner,
                lambda: Slices(contents.images[own], contents.masks[own], contents.positions[own]),
            )

        return self.survey_slices(
            [case(name, owner) for name, owner in contents.patients.items()],
            name=self.location().stem,
            modalities=contents.modalities,
            warnings=contents.warnings,
        )

    def contents(self) -> NpzContents:
        """The file's arrays, checked against each other.

        Raises:
            DataError: an array is missing or of another shape, or no patient is left.
        """
        path = self.location()
        arrays = _arrays(path)
        image, mask, written_owners = arrays["image"], arrays["mask"], arrays["patient"]
        if image.ndim != 4:
            raise DataError(
                "image must be (n, h, w, m)",
                found=f"{image.shape} in {path}",
                remedy="stack the modalities on the last axis",
            )
        samples, channels = image.shape[:1], image.shape[-1:]
        written = arrays.get("channels", np.array(default_channels(*channels)))
        positions = arrays.get("slice", np.arange(*samples))
        check_same_shape({f"image in {path}": image.shape[:3], "mask": mask.shape})
        per_sample = {name: arrays[name].shape for name in ("study", "site") if name in arrays}
        check_same_shape(
            {f"image in {path}": samples, "patient": written_owners.shape, "slice": positions.shape}
            | per_sample
        )
        check_same_shape({f"image in {path}": channels, "channels": written.shape})
        if positions.dtype.kind not in "iuf" or not np.array_equal(positions, np.rint(positions)):
            raise DataError(
                "slice must be (n,) whole numbers",
                found=f"{positions.dtype} in {path}",
                remedy="number the slices of each patient in their order",
            )
        found = [self.modality_of(name) for name in _text(written, "channels", path)]
        modalities = self.chosen(found)
        names = [plain(name) for name in _text(written_owners, "patient", path)]
        copied = {
            plain(name)
            for name in _text(
                np.atleast_1d(arrays.get("copied_channel", np.array([], dtype=np.str_))),
                "copied_channel",
                path,
            )
        }
        present = sorted(set(names))
        left_out = [name for name in present if name in copied]
        warning = f"{len(left_out)} patients listed in copied_channel left out: one modality is a "
        owners, patients = self._cases(arrays, names, copied, path)
        check_any_patients(patients, path, "names in `patient` that are not in `copied_channel`")
        return NpzContents(
            images=np.moveaxis(image, -1, 1)[:, [found.index(name) for name in modalities]],
            masks=mask,
            owners=owners,
            positions=positions.astype(np.int64),
            modalities=modalities,
            patients=patients,
            warnings=(f"{warning}copy",) if left_out else (),
        )

    def _cases(
        self,
        arrays: dict[str, npt.NDArray[Any]],
        names: list[str],
        copied: set[str],
        path: Path,
    ) -> tuple[npt.NDArray[np.str_], dict[str, Owner]]:
        """(n,) name of each sample's case, and whose each case is."""
        known = self.owners(sorted(set(names)))
        study, site = (
            _text(arrays[name], name, path) if name in arrays else [None] * len(names)
            for name in ("study", "site")
        )
        cases: list[str] = []
        owners: dict[str, Owner] = {}
        for name, visit, place in zip(names, study, site, strict=True):
            own = known[name]
            owner = Owner(own.person, visit or own.study, place or own.site)
            case = name if visit is None else f"{name}, study {visit}"
            cases.append(case)
            if name in copied or excluded(name, self.exclude):
                continue
            if owners.setdefault(case, owner) != owner:
                raise DataError(
                    "all slices of one study must come from one site",
                    found=f"{case!r} in {path}",
                    remedy="correct `site`, or number the studies in `study`",
                )
        return np.array(cases), dict(sorted(owners.items()))


def _text(array: npt.NDArray[Any], name: str, path: Path) -> list[str]:
    """Names as text, whatever way they were saved."""
    try:
        if array.dtype.kind in "SUiub":
            return [str(value) for value in array.astype(np.str_)]
    except UnicodeDecodeError:
        pass
    raise DataError(
        f"{name} must hold names",
        found=f"{array.dtype} in {path}",
        remedy="save it as an array of text or whole numbers",
    )


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the file; object arrays, which need pickle, are refused."""
    try:
        # An own handle: numpy leaves the file open when it turns out to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except UNREADABLE as problem:
        raise DataError(
            "a .npz file must be readable without pickle",
            found=f"{path}: {problem}",
            remedy="save it again with numpy.savez_compressed and arrays of numbers and text",
        ) from None
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise DataError(
            f"a .npz cohort must have the arrays {', '.join(_REQUIRED)}",
            found=f"{path} lacks {', '.join(missing)}",
            remedy="see docs/cohorts.md for the layout",
        )
    return arrays
