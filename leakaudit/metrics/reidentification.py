"""Re-identification: is the patient behind a message among the first k candidates?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric, Values
from leakaudit.statistics.direction import Direction

Doubles = npt.NDArray[np.float64]


class ReIdentification(Metric):
    """Share of messages whose patient is among the first k of N candidate patients.

    A candidate patient is as near as its nearest image. Patients at the same distance share the
    remaining places, so that an attack that cannot tell them apart scores exactly chance.
    """

    name: ClassVar[str] = "re-identification"
    title: ClassVar[str] = "re-identification"
    unit: ClassVar[str] = "share of queries"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Packhaeuser et al. 2022, Sci. Rep. 12, 14851; cumulative match curve"
    meaning: ClassVar[str] = (
        "Of 100 patients, how many the adversary picks out of the candidates from what was sent."
    )
    remedy: ClassVar[str] = (
        "Send fewer levels or fewer channels, or noise with a formal claim per patient."
    )

    k: int = Field(default=1, ge=1, description="a hit is a place among the first k patients")

    def chance(self, n: int) -> float | None:
        """Guessing among ``n`` candidate patients."""
        return min(1.0, self.k / n)

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """Every patient found."""
        return 1.0

    def __call__(
        self, distances: Doubles, queries: Sequence[str], candidates: Sequence[str]
    ) -> Values:
        """Per query: 1 for a hit, 0 for a miss, a share where ties cross the k-th place.

        Args:
            distances: (q, c), small is alike; pass a similarity with its sign turned.
            queries: (q,) the true patient of each query.
            candidates: (c,) the patient of each candidate image; several images of one are fine.

        Returns:
            (q,) float64; NaN where the distances are not finite or the patient is no candidate.

        Raises:
            DataError: shapes disagree.
        """
        better, tied, missing = _places(distances, queries, candidates)
        hits = np.clip((self.k - better) / tied, 0.0, 1.0)
        hits[missing] = np.nan
        return hits


def match_curve(distances: Doubles, queries: Sequence[str], candidates: Sequence[str]) -> Doubles:
    """The cumulative match curve: (patients,), the rate of hits among the first 1, 2, ... N.

    A patient counts once, however many queries it has. Missing queries are left out; NaN
    throughout where all are.

    Raises:
        DataError: shapes disagree.
    """
    better, tied, missing = _places(distances, queries, candidates)
    places = np.arange(1, len(set(candidates)) + 1)
    kept = ~missing
    if not kept.any():
        return np.full(len(places), np.nan)
    hits = np.clip((places - better[kept, None]) / tied[kept, None], 0.0, 1.0)
    _, owner, asked = np.unique(
        np.asarray(queries, dtype=str)[kept], return_inverse=True, return_counts=True
    )
    curve: Doubles = np.average(hits, axis=0, weights=1.0 / asked[owner])
    return curve


def _places(
    distances: Doubles, queries: Sequence[str], candidates: Sequence[str]
) -> tuple[Doubles, Doubles, npt.NDArray[np.bool_]]:
    """Per query: patients nearer than the true one, patients as near (itself too), missing."""
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.shape != (len(queries), len(candidates)) or not len(candidates):
        raise DataError(
            "distances have one row per query and one column per candidate image",
            found=f"{matrix.shape} for {len(queries)} queries, {len(candidates)} candidates",
        )
    names, columns = np.unique(np.asarray(candidates, dtype=str), return_inverse=True)
    nearest = np.full((len(queries), len(names)), np.inf)
    for column, patient in enumerate(columns.tolist()):
        np.minimum(nearest[:, patient], matrix[:, column], out=nearest[:, patient])
    position = {name: index for index, name in enumerate(names.tolist())}
    own = np.array([position.get(query, -1) for query in queries], dtype=int)
    missing = (own < 0) | ~np.isfinite(matrix).all(axis=1)
    truth = np.take_along_axis(nearest, np.maximum(own, 0)[:, None], axis=1)
    better = (nearest < truth).sum(axis=1).astype(np.float64)
    tied = np.maximum((nearest == truth).sum(axis=1), 1).astype(np.float64)
    return better, tied, missing
