"""What an audit planned and did not get: nobody knows what it would have found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.finished import Finished
from leakaudit.judgement.burden import unexplained, unknown_encoders, unseen_network
from leakaudit.judgement.claims import doubtful_claims
from leakaudit.judgement.findings import FindingId, Series
from leakaudit.judgement.presences import carried, presences, unread
from leakaudit.plan.configuration import AttackUse, AuditConfiguration
from leakaudit.plan.plan import AttackId, CellId, InterferedId, TrainingId, mounted
from leakaudit.plugins import Kind, build
from leakaudit.record import Asset, Region
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.positions import seen_from

_ABOUT_IMAGES: tuple[Asset, ...] = ("images", "identity")


@dataclass(frozen=True)
class Question:
    """Who attacks what of whom under which setting, and how it is measured."""

    setting: str
    adversary: str
    victim: str
    asset: Asset
    metric: str
    region: Region

    def asks(self, key: FindingId) -> bool:
        """Whether a finding is an answer to it."""
        return not key.shuffled and self == Question(
            key.setting, key.adversary, key.victim, key.asset, key.metric, key.region
        )


@dataclass(frozen=True)
class Shortfall:
    """An attack that did not run to its end under every planned seed of a setting.

    Attributes:
        setting: label.
        adversary: who was to mount it.
        attack: label.
        assets: what it would have told of.
        failed: whether something broke; otherwise it cannot be mounted there at all, which counts
            only where it can be on the undefended split.
        reason: in words.
    """

    setting: str
    adversary: str
    attack: str
    assets: tuple[Asset, ...]
    failed: bool
    reason: str


@dataclass(frozen=True)
class Planned:
    """What the verdicts may expect.

    Attributes:
        seeds: of every attack on every setting.
        shortfalls: attacks that did not get as far.
        unexplained: setting to why silence under it settles nothing: nobody can tell what it
            means, or a claim is refuted or was not tested.
        unread: (setting, victim) to whose messages the attacks never learnt to read, or why
            the control of the messages cannot tell.
        carried: (setting, victim) to what its messages surely carry.
        sees: adversaries who see what the parties send.
        recorded: setting to the epochs whose messages were kept.
    """

    seeds: int
    shortfalls: tuple[Shortfall, ...] = ()
    unexplained: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    carried: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    sees: frozenset[str] = frozenset()
    recorded: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def carries(self, question: Question) -> tuple[str, ...]:
        """What the messages surely carry of the asset, to an adversary who sees them.

        Nobody may say that nothing is there. What may be there, a budget says: of an attack that
        reads through the defense, the bound on what it got stands.
        """
        return self._about_images(question, self.carried)

    def _about_images(
        self, question: Question, told: Mapping[tuple[str, str], tuple[str, ...]]
    ) -> tuple[str, ...]:
        if question.asset not in _ABOUT_IMAGES or question.adversary not in self.sees:
            return ()
        return told.get((question.setting, question.victim), ())

    def failures(self, setting: str, asset: Asset) -> list[Shortfall]:
        """The attacks on an asset of which something broke under a setting."""
        return [
            each
            for each in self.shortfalls
            if each.failed and each.setting == setting and asset in each.assets
        ]

    def failed(self, question: Question) -> dict[str, str]:
        """Attack to why it did not finish, of those that might have answered."""
        return {
            each.attack: each.reason
            for each in self.failures(question.setting, question.asset)
            if each.adversary == question.adversary
        }

    def doubts(
        self, question: Question, candidates: Mapping[FindingId, Series], able: Collection[str]
    ) -> Iterator[str]:
        """What keeps the silence of those that answered from being the answer.

        An attack that a defense keeps from being mounted is not one that it withstood: what breaks
        the attack (no gradient comes back) need not protect, and a stronger attack may go round it.
        One that is silent where nothing protects would have told nothing here either.

        Args:
            question: as asked.
            candidates: what every attack that ran got.
            able: the attacks that answer the question on the undefended split, unless surely
                with nothing.
        """
        yield from self.unexplained.get(question.setting, ())
        yield from self._about_images(question, self.unread)
        yield from self._passed_over(question.setting, candidates.values())
        failed = self.failed(question)
        yield from failed.values()
        by_attack: dict[str, dict[FindingId, Series]] = defaultdict(dict)
        for key, series in candidates.items():
            by_attack[key.attack][key] = series
        refused = {
            each.attack: each.reason
            for each in self.shortfalls
            if (each.setting, each.adversary) == (question.setting, question.adversary)
        }
        for attack in sorted(set(able) - set(by_attack) - set(failed)):
            why = refused.get(attack, "it had nothing to read")
            yield (
                f"{attack} could not be mounted here, though it can be on the undefended split "
                f"({why}): what breaks an attack need not protect"
            )
        for attack, mine in by_attack.items():
            seeds = min(len(series.values) for series in mine.values())
            if seeds < self.seeds and attack not in failed:
                yield f"{attack}: {seeds} of {self.seeds} seeds finished"
            if absent := sum(_missing(key, series) for key, series in mine.items()):
                every = sum(series.values.size for series in mine.values())
                yield f"{attack}: {absent} of {every} values of {question.metric} are missing"

    def _passed_over(self, setting: str, candidates: Collection[Series]) -> Iterator[str]:
        """A leak in one epoch is a leak; attacks on the network itself read no messages."""
        read = {epoch for series in candidates for epoch in series.looked_at}
        if not read:
            return
        if left := sorted(self.recorded.get(setting, frozenset()) - read):
            which = f"epoch{'s' if len(left) > 1 else ''} {', '.join(map(str, left))}"
            yield f"no attack read the messages of {which}, which are recorded"


def _missing(key: FindingId, series: Series) -> int:
    """Values that the attack owes: where the blind guess has none either, none can be given.

    So it is with a patient without a lesion, or of another party in a horizontal split. A mask
    guessed empty of a patient who has none is right, and has no Dice.
    """
    if key.asset == "masks":
        return 0
    return int((np.isnan(series.values) & ~np.isnan(series.blind)).sum())


def planned(configuration: AuditConfiguration, done: Finished) -> Planned:
    """What was planned of every attack on every setting, and what of it is not there.

    Args:
        configuration: every setting that was audited listed under its defenses.
        done: finished cells.
    """
    encoders = dict(unknown_encoders(done.trainings))
    doubtful = doubtful_claims(done.trainings)
    controls = presences(done.trainings, configuration.split)
    return Planned(
        len(configuration.seeds),
        tuple(_shortfalls(configuration, done)),
        {
            label: (
                *unexplained(stack),
                *unseen_network(configuration.split),
                *([encoders[label]] if label in encoders else []),
                *doubtful.get(label, ()),
            )
            for label, stack in ((stack.label, stack) for stack in configuration.defenses)
        },
        unread(controls),
        carried(controls),
        frozenset(
            adversary.name
            for adversary in configuration.adversaries
            if Knowledge.ACTIVATIONS
            in seen_from(adversary, configuration.split) | adversary.granted
        ),
        {
            identity.setting: frozenset(result.recorded_epochs)
            for identity, result in done.trainings.items()
        },
    )


def _shortfalls(configuration: AuditConfiguration, done: Finished) -> Iterator[Shortfall]:
    broken = {failure.cell: failure.reason for failure in done.failures}
    for stack in configuration.defenses:
        for adversary in configuration.adversaries:
            for use in mounted(configuration, adversary):
                cells = [
                    AttackId(
                        TrainingId(stack.label, seed), adversary.name, use.title, repeat=repeat
                    )
                    for seed in configuration.seeds
                    for repeat in range(configuration.attack_repeats)
                ]
                results = {cell: done.attacks.get(cell) for cell in cells}
                lost = {
                    cell: _why(cell, result, broken)
                    for cell, result in results.items()
                    if result is None or result.status != "done"
                }
                if not lost:
                    continue
                why = "; ".join(dict.fromkeys(lost.values()))
                run = "seeds" if configuration.attack_repeats == 1 else "runs"
                refused = all(
                    result is not None and result.status == "not mountable"
                    for result in results.values()
                )
                yield Shortfall(
                    setting=stack.label, adversary=adversary.name, attack=use.title,
                    assets=assets_of(use), failed=not refused,
                    reason=why if refused else f"{use.title} did not finish under {len(lost)} of "
                    f"{len(cells)} {run} ({why})",
                )  # fmt: skip


def assets_of(use: AttackUse) -> tuple[Asset, ...]:
    """What an attack tells of: who it is can be read off images too."""
    goal: Asset = build(Kind.ATTACK, use.use, use.settings).asset
    return (goal, "identity") if goal == "images" else (goal,)


def _why(cell: AttackId, result: AttackResult | None, broken: Mapping[CellId, str]) -> str:
    """The reason of its own, or of what it was to read."""
    if result is not None:
        return result.reason
    own = InterferedId(cell.training, cell.adversary, cell.attack)
    sources: tuple[CellId, ...] = (cell, own, cell.training)
    return next((broken[each] for each in sources if each in broken), "no result")
