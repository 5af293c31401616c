"""DICOM series and segmentations, MHA and NRRD: right, or refused with what to run first."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from leakaudit.cohorts import _itk
from leakaudit.cohorts._volume_file import Volume
from leakaudit.cohorts.brats import BratsFolders
from leakaudit.errors import ConfigurationError, DataError

Array = npt.NDArray[Any]
MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def head(seed: int) -> tuple[Array, Array]:
    """(x, y, z) brightness without symmetry, and a lesion."""
    rng = np.random.default_rng(seed)
    volume = rng.integers(100, 900, (12, 16, 8)).astype(np.int16)
    volume[:2], volume[-2:], volume[:, :2], volume[:, -2:] = 0, 0, 0, 0
    mask = np.zeros(volume.shape, np.uint8)
    mask[4:7, 5:9, 3:6] = 1
    return volume, mask


def write_series(folder: Path, volume: Array, **changes: Any) -> list[Any]:
    """A series whose file names run against the direction of its slices."""
    pytest.importorskip("SimpleITK")
    pydicom = pytest.importorskip("pydicom")
    folder.mkdir(parents=True)
    study, series, frame = (pydicom.uid.generate_uid() for _ in range(3))
    written = []
    for z in range(volume.shape[2]):
        if z in changes.get("missing", ()):
            continue
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = MR_STORAGE
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        file = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        file.SOPClassUID, file.SOPInstanceUID = MR_STORAGE, meta.MediaStorageSOPInstanceUID
        file.StudyInstanceUID, file.SeriesInstanceUID = study, series
        file.FrameOfReferenceUID, file.Modality = frame, "MR"
        file.PatientID, file.PatientName = "1961-mueller", "Mueller^Anna"
        for empty in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
                      "StudyTime", "ReferringPhysicianName", "Manufacturer"):  # fmt: skip
            setattr(file, empty, "")
        file.SeriesNumber, file.InstanceNumber = 1, z + 1
        file.ImagePositionPatient = [0, z * changes.get("tilt", 0.0), z * 3]
        file.ImageOrientationPatient, file.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
        file.SliceThickness, file.Rows, file.Columns = 3, volume.shape[1], volume.shape[0]
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated = file.BitsStored = 16
        file.HighBit, file.PixelRepresentation = 15, 1
        file.RescaleSlope, file.RescaleIntercept = 2, -5
        if "frames" in changes:
            file.NumberOfFrames = changes["frames"]
        file.PixelData = volume[:, :, z].T.astype(np.int16).tobytes()
        file.save_as(folder / f"I{99 - z:03d}.dcm", enforce_file_format=True)
        written.append(file)
    return written


def write_segmentation(folder: Path, images: list[Any], mask: Array) -> None:
    """A binary DICOM segmentation that leaves out slices without lesion."""
    hd = pytest.importorskip("highdicom")
    uid, codes = (
        importlib.import_module("pydicom.uid"),
        importlib.import_module("pydicom.sr.codedict"),
    )
    code = codes.codes.SCT
    segment = hd.seg.SegmentDescription(
        segment_number=1, segment_label="lesion",
        segmented_property_category=code.MorphologicallyAbnormalStructure,
        segmented_property_type=code.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )  # fmt: skip
    folder.mkdir(parents=True)
    hd.seg.Segmentation(
        source_images=images, pixel_array=mask.T.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY, segment_descriptions=[segment],
        series_instance_uid=uid.generate_uid(), series_number=2,
        sop_instance_uid=uid.generate_uid(), instance_number=1, manufacturer="x",
        manufacturer_model_name="x", software_versions="1", device_serial_number="1",
    ).save_as(folder / "labels.dcm")  # fmt: skip


def test_a_series_reads_as_simpleitk_reads_it(tmp_path: Path) -> None:
    write_series(tmp_path / "T1", head(0)[0])
    sitk = importlib.import_module("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "T1")))
    ours = Volume.open(tmp_path / "T1")
    np.testing.assert_array_equal(ours.voxels(), sitk.GetArrayFromImage(reader.Execute()))
    assert ours.spacing == (3.0, 1.0, 1.0)


def test_a_segmentation_is_placed_on_its_images_and_no_header_is_kept(tmp_path: Path) -> None:
    for seed in range(2):
        volume, mask = head(seed)
        images = write_series(tmp_path / f"p{seed}" / "T1", volume)
        write_segmentation(tmp_path / f"p{seed}" / "SEG", images, mask)
    grid = Volume.open(tmp_path / "p0" / "T1")
    placed = Volume.open(tmp_path / "p0" / "SEG", grid)
    np.testing.assert_array_equal(placed.voxels(), head(0)[1].T)
    cohort = BratsFolders(path=str(tmp_path), size=16).load()
    assert len(cohort.patient_ids) == 2
    assert cohort.labels.any()
    assert "ueller" not in repr(cohort)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"missing": (4,)}, "slices must lie at even distances"),
        ({"tilt": 1.0}, "gantry tilt"),
        ({"frames": 4}, "multi-frame"),
    ],
)
def test_series_that_are_no_regular_stack_are_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    write_series(tmp_path / "T1", head(0)[0], **changes)
    with pytest.raises(DataError, match=says) as caught:
        Volume.open(tmp_path / "T1")
    assert "dcm2niix" in caught.value.remedy


@pytest.mark.parametrize("ending", ["mha", "nrrd"])
def test_other_formats_equal_nifti(tmp_path: Path, ending: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(head(0)[0].T)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    for name in (f"a.{ending}", "a.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name))
    one, other = Volume.open(tmp_path / f"a.{ending}"), Volume.open(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(one.voxels(), other.voxels())
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-5)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_itk.importlib, "import_module", absent)
    (tmp_path / "a.mha").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"leakaudit\[dicom\]"):
        Volume.open(tmp_path / "a.mha")


@pytest.mark.parametrize("shift", [0.0, 7.0])
def test_labels_that_lost_their_geometry_are_taken_and_those_elsewhere_are_not(
    tmp_path: Path, shift: float
) -> None:
    """Plain masks of another voxel size: without a place of their own, or with another one."""
    for number in range(2):
        volume, mask = head(number)
        write_series(tmp_path / f"p{number}" / "T1", volume)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])  # the series has slices of 3 mm
        affine[:3, 3] = shift
        nib.save(nib.Nifti1Image(mask, affine), tmp_path / f"p{number}" / f"p{number}_seg.nii.gz")
    cohort = BratsFolders(path=str(tmp_path), size=16)
    if shift:
        with pytest.raises(DataError, match="p0"):
            cohort.load()
    else:
        assert len(set(cohort.load().patients.tolist())) == 2
