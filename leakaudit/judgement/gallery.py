"""Pictures for shareable cohorts: rows chosen by rule, never by eye."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import load_file

from leakaudit.cells.attack_cell import GUESSED, GUESSES_FILE, AttackResult
from leakaudit.cells.cell_judge import TargetScores
from leakaudit.cells.scores import PRIMARY
from leakaudit.plan.materials import Materials
from leakaudit.plan.plan import AttackId
from leakaudit.record import Asset, Picture
from leakaudit.record.cuts import cuts_text
from leakaudit.split.spec import SplitSpec

FOLDER = "pictures"
Grey = npt.NDArray[np.uint8]
Row = Literal["worst", "p95", "median", "best"]


def draw_gallery(
    results: Mapping[AttackId, AttackResult],
    folders: Mapping[AttackId, Path],
    given: Materials,
    split: SplitSpec,
    out: Path,
    victims: int | None,
) -> tuple[Picture, ...]:
    """Write the gallery's pictures beside the record.

    Rows are the worst, 95th percentile, median and best patient by the primary metric of the
    attack on all cuts together; the picture is the patient's middle slice.

    Args:
        results: attack cells that kept their guesses.
        folders: where they stand.
        given: cohort and groups; nothing is drawn where it is not shareable.
        split: as configured.
        out: run folder.
        victims: how many training patients were attacked.
    """
    if not given.cohort.shareable:
        return ()
    pictures: list[Picture] = []
    for attack, result in results.items():
        file = folders[attack] / GUESSES_FILE
        if not attack.shuffled and file.is_file():
            drawer = _Drawer(attack, result, load_file(file), given, split, out, victims)
            pictures += drawer.pictures()
    return tuple(pictures)


class _Drawer:
    def __init__(
        self,
        attack: AttackId,
        result: AttackResult,
        guesses: Mapping[str, Grey],
        given: Materials,
        split: SplitSpec,
        out: Path,
        victims: int | None,
    ) -> None:
        self._attack, self._result, self._guesses = attack, result, guesses
        self._given, self._split, self._out = given, split, out
        self._rows = given.victim_rows(victims).numpy()
        self._owners = given.cohort.patients[self._rows]

    def pictures(self) -> Iterator[Picture]:
        """Every victim's rows."""
        leading = {
            (score.victim, score.asset): score
            for score in sorted(self._result.scores, key=lambda score: len(score.levels))
            if PRIMARY.get(score.asset) == (score.metric, score.region)
            and score.asset in ("images", "masks")
        }
        for (victim, asset), score in leading.items():
            for row, patient in _chosen(score, self._result.patients):
                yield from self._row(victim, asset, row, patient)

    def _row(self, victim: str, asset: Asset, row: Row, patient: str) -> Iterator[Picture]:
        guessed = self._guesses[f"{victim}/{asset}/{GUESSED}"]
        sample = self._middle(patient, guessed)
        if sample is None:
            return
        decoy_patient = self._result.patients[
            (self._result.patients.index(patient) + 1) % len(self._result.patients)
        ]
        prefix = f"{victim}/{asset}/"
        truth = self._truth(victim, asset)
        columns: dict[str, Grey] = {"truth": truth[sample]}
        levels = sorted(
            name.removeprefix(prefix)
            for name in self._guesses
            if name.startswith(prefix) and not name.endswith(("/blind", GUESSED))
        )
        for name in sorted(levels, key=lambda text: (text.count("-"), text)):
            together = "-" in name
            alone = not together and len(levels) > 1
            title = self._titled((int(name),) if alone else ())
            columns[title] = self._guesses[prefix + name][sample]
        columns["blind"] = self._guesses[prefix + "blind"][sample]
        columns["decoy"] = truth[self._middle(decoy_patient) or 0]
        for column, pixels in columns.items():
            file, digest = self._write(pixels)
            yield Picture(
                file=file, sha256=digest, row=row, column=column,
                defense=self._attack.training.setting, adversary=self._attack.adversary,
                victim=victim, attack=self._attack.attack, asset=asset,
                patient=decoy_patient if column == "decoy" else patient,
                value=self._value(victim, asset, column, patient),
            )  # fmt: skip

    def _truth(self, victim: str, asset: Asset) -> Grey:
        if asset == "masks":
            masks: Grey = (self._given.masks[self._rows] * 255).astype(np.uint8)
            return masks
        cohort = self._given.cohort
        held = [cohort.modalities.index(name) for name in self._split.party(victim).modalities]
        greys: Grey = np.rint(cohort.images[self._rows][:, held] * 255).astype(np.uint8)
        return greys

    def _middle(self, patient: str, among: Grey | None = None) -> int | None:
        """The patient's middle sample, of those marked; None where there is none."""
        mine = self._owners == patient
        rows = np.flatnonzero(mine if among is None else mine & (among > 0))
        return int(rows[len(rows) // 2]) if len(rows) else None

    def _value(self, victim: str, asset: Asset, column: str, patient: str) -> float | None:
        """The patient's value of the primary metric in that column."""
        number = self._result.patients.index(patient)
        matching = [
            score
            for score in self._result.scores
            if (score.victim, score.asset) == (victim, asset)
            and (score.metric, score.region) == PRIMARY[asset]
        ]
        if column == "blind":
            return matching[0].blind[number]
        for score in matching:
            together = len(score.levels) > 1 or len(matching) == 1
            if column == self._titled(() if together else score.levels):
                return score.values[number]
        return None

    def _titled(self, levels: tuple[int, ...]) -> str:
        """What was read; all that crosses where nothing is named."""
        return cuts_text([self._split.cut_name(each) for each in levels]) if levels else "all cuts"

    def _write(self, pixels: Grey) -> tuple[str, str]:
        """The first channel, a volume's middle plane, as PNG named by its own hash."""
        plane = pixels[0] if pixels.ndim == 3 else pixels[0, pixels.shape[1] // 2]
        buffer = io.BytesIO()
        Image.fromarray(plane).save(buffer, format="PNG")
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        (self._out / FOLDER).mkdir(exist_ok=True)
        file = f"{FOLDER}/{digest[:16]}.png"
        (self._out / file).write_bytes(buffer.getvalue())
        return file, digest


def _chosen(score: TargetScores, patients: tuple[str, ...]) -> Iterator[tuple[Row, str]]:
    """Patients by rule, most leaking first; fewer rows where patients are few."""
    known = [
        (value, patient)
        for value, patient in zip(score.values, patients, strict=True)
        if value is not None
    ]
    ordered = [patient for _, patient in sorted(known, reverse=True)]
    places: dict[Row, int] = {
        "worst": 0,
        "p95": round(0.05 * (len(ordered) - 1)),
        "median": (len(ordered) - 1) // 2,
        "best": len(ordered) - 1,
    }
    seen: set[str] = set()
    for row, place in places.items():
        if ordered and ordered[place] not in seen:
            seen.add(ordered[place])
            yield row, ordered[place]
