"""`leakaudit init` writes an audit that is valid as it stands, and never over a file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import torch
from command_line import Typed, write_npz

from leakaudit.cli import starting
from leakaudit.cli.starting import audit_file
from leakaudit.cohorts.detect import Detection
from leakaudit.errors import EXIT_USAGE
from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plugins import Kind, build
from leakaudit.record import Governance
from leakaudit.recording import Crossing, Job, Recorder
from leakaudit.recording.sheets import sample_sheet


def _configured(text: str, folder: Path) -> AuditConfiguration:
    file = folder / "audit.toml"
    file.write_text(text, encoding="utf-8")
    return read_configuration(file)[0]


def test_what_init_writes_is_valid(typed: Typed, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "slices.npz", patients=12)
    said = typed("init", data, "--out", tmp_path / "new")
    assert said.code == 0, said.err
    assert "Found 12 patients, npz layout, modalities T1, FLAIR." in said.out
    assert f"leakaudit run {tmp_path / 'new' / 'audit.toml'} --out runs/first" in said.out

    configuration, _ = read_configuration(tmp_path / "new" / "audit.toml")
    assert configuration.split.party_names == ("T1", "FLAIR")
    assert configuration.cohort.use == "npz"
    assert not configuration.cohort.settings["shareable"]
    cohort = build(Kind.COHORT, "npz", configuration.cohort.settings).load()
    assert cohort.space == (64, 64)
    for stack in configuration.defenses:
        for use in stack.stack:
            build(Kind.DEFENSE, use.use, use.settings)
    for attack in configuration.attacks:
        build(Kind.ATTACK, attack.use, attack.settings)

    policy = (tmp_path / "new" / "leakage-policy.toml").read_text(encoding="utf-8")
    tomllib.loads(policy)
    tomllib.loads(policy.replace("# [", "[").replace("\n# ", "\n#"))


def test_the_template_names_every_statement(typed: Typed, tmp_path: Path) -> None:
    """With the marks taken away its table is whole and valid; as written, nothing is stated."""
    data = write_npz(tmp_path / "slices.npz", patients=12)
    assert typed("init", data, "--out", tmp_path).code == 0
    text = (tmp_path / "audit.toml").read_text(encoding="utf-8")
    assert read_configuration(tmp_path / "audit.toml")[0].governance == Governance()
    head, rest = text.split("[governance]\n")
    table, blank, tail = rest.partition("\n\n")
    filled = _configured(f"{head}[governance]\n{table.replace('# ', '')}{blank}{tail}", tmp_path)
    assert set(filled.governance.model_fields_set) == set(Governance.model_fields)
    assert all(filled.governance.model_dump().values())


def test_a_relative_path_stays_right_wherever_the_file_goes(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "slices.npz", patients=12)
    monkeypatch.chdir(tmp_path)
    assert typed("init", "slices.npz", "--out", "elsewhere").code == 0
    configuration, _ = read_configuration(tmp_path / "elsewhere" / "audit.toml")
    assert Path(configuration.cohort.settings["path"]) == tmp_path / "slices.npz"


def test_init_never_overwrites(typed: Typed, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "slices.npz", patients=12)
    mine = tmp_path / "leakage-policy.toml"
    mine.write_text("# mine\n")
    said = typed("init", data, "--out", tmp_path)
    assert said.code == EXIT_USAGE
    assert "--force" in said.err
    assert mine.read_text() == "# mine\n"
    assert not (tmp_path / "audit.toml").exists()

    assert typed("init", data, "--out", tmp_path, "--force").code == 0
    assert mine.read_text() != "# mine\n"


def test_init_of_what_is_no_data_says_what_it_looked_for(typed: Typed, tmp_path: Path) -> None:
    said = typed("init", tmp_path)
    assert said.code == EXIT_USAGE
    assert "dataset.json" in said.err


@pytest.mark.parametrize("patients", range(1, 13))
def test_no_victim_group_is_ever_empty(patients: int, tmp_path: Path) -> None:
    text = audit_file(Detection("npz", {"path": "x.npz"}, ("T1", "T2"), patients))
    groups = _configured(text, tmp_path).groups
    if patients >= 10:
        assert groups.training == 0.5
        return
    shares = [groups.training, groups.auxiliary, groups.validation]
    assert all(isinstance(share, int) for share in shares)
    assert sum(share for share in shares if isinstance(share, int)) == patients
    assert groups.training >= 1
    assert patients < 3 or groups.training >= 2
    assert patients < 2 or groups.auxiliary >= 1
    assert patients < 4 or groups.validation == 1


@pytest.mark.parametrize(
    "names",
    [
        ('quo"te', "back\\slash", "new\nline"),
        ("server", "T1"),
        ("\x7f\x1b[31m", "${HOME}x", "$source"),
        ("フレア",),
    ],
)
def test_any_modality_name_survives(names: tuple[str, ...], tmp_path: Path) -> None:
    text = audit_file(Detection("npz", {"path": "x.npz"}, names, 20, ("odd: \x1b[31m\nbad",)))
    parsed = tomllib.loads(text)
    held = [party["modalities"] for party in parsed["split"]["parties"]]
    assert held == [[name] for name in names]
    if "${HOME}x" not in names:
        assert len(_configured(text, tmp_path).split.parties) == len(names)


@pytest.mark.parametrize("source", ["msd", "brats", "images"])
def test_settings_fit_their_source(source: str) -> None:
    text = audit_file(Detection(source, {"path": "x"}, ("T1", "T2"), 20))
    settings = tomllib.loads(text)["cohort"]
    use = settings.pop("use")
    build(Kind.COHORT, use, settings)


def test_all_faults_come_together_and_can_be_left_out(typed: Typed, tmp_path: Path) -> None:
    import nibabel
    import numpy as np

    rng = np.random.default_rng(0)
    for name in "abcde":
        for kind in ("t1", "t2", "seg"):
            voxels = rng.integers(1, 900, (12, 12, 6)).astype(np.int16)
            voxels[:2], voxels[-2:], voxels[:, :2], voxels[:, -2:] = 0, 0, 0, 0
            voxels = (voxels > 600).astype(np.int16) if kind == "seg" else voxels
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(voxels, np.eye(4))  # type: ignore[attr-defined]
            nibabel.save(image, tmp_path / "data" / name / f"{name}_{kind}.nii.gz")  # type: ignore[attr-defined]
    (tmp_path / "data" / "a" / "a_t2.nii.gz").unlink()
    (tmp_path / "data" / "b" / "b_seg.nii.gz").unlink()
    (tmp_path / "data" / "c" / "c_t1.nii.gz").write_bytes(b"not an image")
    said = typed("init", tmp_path / "data", "--out", tmp_path)
    assert said.code == EXIT_USAGE
    assert "a lacks T2" in said.err
    assert "no labels for b" in said.err
    assert "c_t1.nii.gz" in said.err
    assert not (tmp_path / "audit.toml").exists()
    said = typed(
        "init", tmp_path / "data", "--out", tmp_path, "--exclude", "c", "--skip-incomplete"
    )
    assert said.code == 0, said.err
    assert "Persons 2, studies 2, sites not said." in said.out
    settings = read_configuration(tmp_path / "audit.toml")[0].cohort.settings
    assert settings["exclude"] == ["c"]
    assert settings["skip_incomplete"] is True
    assert len(build(Kind.COHORT, "brats", settings).load().patient_ids) == 2


def test_data_that_cannot_be_written_get_their_key_beside_the_configuration(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "archive"
    data.mkdir()
    write_npz(data / "slices.npz", patients=12)
    monkeypatch.setattr(starting.os, "access", lambda _, mode: mode != os.W_OK)
    said = typed("init", data, "--out", tmp_path / "new")
    assert said.code == 0, said.err
    settings = read_configuration(tmp_path / "new" / "audit.toml")[0].cohort.settings
    key = Path(settings["pseudonym_key_file"])
    assert key.parent == tmp_path / "new"
    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data.iterdir()] == ["slices.npz"]


def test_an_audit_of_a_jobs_trace(typed: Typed, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "slices.npz", patients=12)
    assert typed("init", data, "--out", tmp_path).code == 0
    configuration, _ = read_configuration(
        tmp_path / "audit.toml", {"cohort.size": 32, "groups.training": 0.5}
    )
    sheet = sample_sheet(configuration)
    ours = Job(parties={"north": ("T1",), "south": ("FLAIR",)}, epochs=3, labels_at="south")
    rows = [each.sample for each in sheet.traced()]
    with Recorder(tmp_path / "trace", sheet, ours, strict=True) as recorder:
        recorder.at(rows, epoch=2)
        for name in ours.parties:
            recorder.activation(Crossing(name), torch.rand(len(rows), 2, 4, 4))
        recorder.finish_epoch(2)
    said = typed("init", data, "--trace", tmp_path / "trace", "--out", tmp_path / "new")
    assert said.code == 0, said.err
    assert "are those that the trace was recorded on" in said.out
    written, _ = read_configuration(tmp_path / "new" / "audit.toml")
    assert written.split.party_names == ("north", "south")
    assert written.split.labels_at == "south"
    assert written.groups.training == tuple(sorted({each.patient for each in sheet.traced()}))
    other = write_npz(tmp_path / "others.npz", patients=2)
    wrong = typed("init", other, "--trace", tmp_path / "trace", "--out", tmp_path / "wrong")
    assert wrong.code == EXIT_USAGE
    assert "patients must be in the data" in wrong.err
