"""`leakaudit power` as somebody types it, and what is said before a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Typed

from leakaudit.cli.foreseeing import tell
from leakaudit.record import Power
from tests.small_audit import SMALL

LARGE = SMALL.replace("seeds = [0]", "seeds = [0, 1, 2, 3, 4]").replace(
    "patients = 8", "patients = 60"
)
LARGE = LARGE.replace("training = 4", "training = 40")


def written(folder: Path, text: str) -> Path:
    file = folder / "audit.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_power_needs_no_run_and_no_patient(typed: Typed, tmp_path: Path) -> None:
    said = typed("power", written(tmp_path, LARGE))
    assert said.code == 0, said.err
    assert '40 patients, 5 seed(s), "none shown above 0.1"' in said.out
    assert "this plan" in said.out
    assert "Assumed of images" in said.out
    assert "This plan can exclude: images 0." in said.err
    assert list(tmp_path.iterdir()) == [tmp_path / "audit.toml"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (("seeds=[0]",), "1 seed(s)"),
        (("seeds=[0,1]",), "2 seed(s)"),
        (("victims=2",), "2 patients"),
        (("victims=1",), "1 patient(s)"),
    ],
)
def test_what_cannot_be_answered_is_said_loudly_and_is_no_refusal(
    typed: Typed, tmp_path: Path, changes: tuple[str, ...], says: str
) -> None:
    typing = [word for change in changes for word in ("--set", change)]
    said = typed("power", written(tmp_path, LARGE), *typing)
    assert said.code == 0, said.err
    assert "nothing" in said.out
    lines = [line for line in said.err.splitlines() if line.startswith("WARNING")]
    (images,) = [line for line in lines if "on images" in line]
    assert '"none shown" cannot be the answer' in images
    assert says in images
    assert "attacked patients" in images


def test_a_threshold_out_of_reach_names_what_would_do(typed: Typed, tmp_path: Path) -> None:
    said = typed("power", written(tmp_path, LARGE), "--set", "judgement.threshold=0.02")
    assert said.code == 0
    assert "would say so" in said.err


def test_one_message_where_nothing_is_attacked_or_the_data_is_not_there(
    typed: Typed, tmp_path: Path
) -> None:
    none = typed("power", written(tmp_path, LARGE), "--set", "adversaries.0.grants=[]")
    assert none.code == 5
    assert none.err.startswith("error: ")
    gone = typed("power", tmp_path / "audit.toml", "--set", "cohort={use='images', path='nowhere'}")
    assert gone.code == 4
    assert gone.err.count("error: ") == 1


def power(**changes: object) -> Power:
    return Power.model_validate(
        {
            "asset": "images", "adversaries": ("server",), "patients": 20, "seeds": 3, "series": 1,
            "threshold": 0.1, "smallest": 0.2, "smallest_worst": 0.5, "share": 0.1,
            "patients_needed": 38, "seeds_needed": 3, **changes,
        }
    )  # fmt: skip


def test_quiet_keeps_what_must_not_be_missed(capsys: pytest.CaptureFixture[str]) -> None:
    tell([power(), power(asset="identity", share=0.9, smallest=0.05)], quiet=True)
    said = capsys.readouterr()
    assert not said.out
    assert said.err.splitlines() == [
        'WARNING: "none shown" cannot be the answer on images: of 100 audits of a defense that '
        "leaks nothing, 10 would say so; 38 attacked patients would do."
    ]


def test_an_adversary_is_named_where_it_makes_a_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell([power(share=0.9), power(share=0.9, adversaries=("wire",)), power(asset="masks", share=1)])
    assert (
        "This plan can exclude: images by server 0.20, images by wire 0.20, masks 0.20; the "
        "threshold is 0.1." in capsys.readouterr().err
    )
