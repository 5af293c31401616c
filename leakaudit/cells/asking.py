"""Ask a recorded training about its patients' images: what the controls of messages stand on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from leakaudit.cells.link import Ask, Crossed, Link
from leakaudit.cells.presence import Presence, presence
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import NotMountableError
from leakaudit.exchange.message import Cut, Direction, Route
from leakaudit.plan.materials import Materials
from leakaudit.split.spec import SERVER
from leakaudit.threat.sources import Rebuilt
from leakaudit.trace.foreign import in_space
from leakaudit.trace.query_log import QueryLog
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import Holdings

# Patients, and samples of each, that are asked about: the controls must stay cheap.
_MOST_PATIENTS, _MOST_SLOTS = 16, 2
# Of queries and permutations: the same for every training, so that seeds can be compared.
_SEED = 0


def ask_about_images(
    reader: TraceReader, given: Materials, holdings: Holdings
) -> tuple[Presence, ...]:
    """The presence control of every party, over all recorded epochs.

    Args:
        reader: the recorded training.
        given: cohort and groups.
        holdings: the cohort, dealt out to the parties.
    """
    parties = reader.split.party_names
    if not reader.can_be_rebuilt and not reader.asked:
        return tuple(
            Presence(
                party=party, epochs=reader.epochs,
                reason="a trace of a job's own network, which was asked nothing while recorded",
            )
            for party in parties
        )  # fmt: skip
    names = sorted(set(given.cohort.patients.tolist()))
    auxiliary = slots_of(given.rows(Group.AUXILIARY), holdings.patients)[:, 0]
    found = []
    for party in parties:
        held = reader.held_by(party)
        own = torch.tensor([row for row in reader.steady if row in held], dtype=torch.int64)
        slots = slots_of(own, holdings.patients)
        spread = torch.linspace(0, len(slots) - 1, min(len(slots), _MOST_PATIENTS))
        slots = slots[spread.round().long()]
        if len(reader.epochs) > 1:
            slots = slots[:, -1:]  # each epoch releases the sample anew
        owners = [names[number] for number in holdings.patients[slots[:, 0]].tolist()]
        link = _link(reader, party, holdings.images)
        try:
            found.append(presence(link, slots, auxiliary, owners, _SEED))
        except NotMountableError as problem:
            found.append(Presence(party=party, epochs=reader.epochs, reason=str(problem)))
    return tuple(found)


def slots_of(rows: Tensor, patients: Tensor) -> Tensor:
    """(p, k) samples of every patient, evenly spaced: the k-th of each shows alike anatomy.

    Args:
        rows: (n,) indices of samples.
        patients: (all,) number of the owner of every sample.
    """
    owners = patients[rows]
    people = [rows[owners == owner] for owner in owners.unique().tolist()]
    if not people:
        return rows.new_empty(0, 1)
    count = min(_MOST_SLOTS, *(len(mine) for mine in people))
    places = (torch.arange(count) + 0.5) / count
    return torch.stack([mine[(places * len(mine)).long()] for mine in people])


def _link(reader: TraceReader, party: str, images: Mapping[str, Tensor]) -> Link:
    rebuilt: Rebuilt
    if reader.can_be_rebuilt:
        rebuilt = reader.rebuilt()
        split = rebuilt.network(reader.epochs[-1]).split
    else:
        rebuilt, split = QueryLog(reader, images), reader.split
    dimensions = len(reader.description.space)

    def crossed(epoch: int, level: int, samples: Tensor) -> list[Crossed]:
        route = Route(party, SERVER, Direction.ACTIVATION, Cut.ENCODER, level)
        return [
            Crossed(owners, sent.reshape(len(sent), *in_space(tuple(sent.shape[1:]), dimensions)))
            for owners, sent in reader.whole_messages(route, epoch, samples.tolist())
        ]

    def asking(epoch: int) -> Ask:
        endpoint = rebuilt.party(party, epoch)

        def ask(images: Tensor, rng: Generator) -> Mapping[int, Tensor]:
            with torch.no_grad():
                sent: Mapping[int, Tensor] = endpoint(images, rng)
            return sent

        return ask

    levels = dict(zip(split.crossing, split.cut_names, strict=True))
    return Link(party, reader.epochs, levels, crossed, asking, reader.message_size, images[party])
