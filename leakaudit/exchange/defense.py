"""What a defense is: settings that put a guard at each party, and a claim only where one is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from pydantic import Field
from torch import Generator, Tensor, nn

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.claim import Claim, Exposure, Noise
from leakaudit.exchange.message import Direction
from leakaudit.plugins import Plugin
from leakaudit.split.spec import CutChoice, SplitSpec

__all__ = ["Claim", "Defense", "Exposure", "Guard", "Noise", "Site", "Strength", "UpdateRule"]


@dataclass(frozen=True)
class Site:
    """Where a guard stands: at one party of a split.

    Attributes:
        split: the split, after every defense had its say on it.
        party: name of the party.
        shapes: level to (channels, *space) of what reaches the guard.
        modalities: image channels of the party.
    """

    split: SplitSpec
    party: str
    shapes: Mapping[int, tuple[int, ...]]
    modalities: int


class Guard(nn.Module):
    """A defense at work at one party.

    Keys are buffers and learned layers are parameters, so that a snapshot of the trace holds them
    and query access goes through the very same guard. Every method defaults to doing nothing.
    """

    def shapes(self, shapes: Mapping[int, tuple[int, ...]]) -> Mapping[int, tuple[int, ...]]:
        """Level to (channels, *space) of what leaves, given what enters."""
        return shapes

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """Change an activation before it is sent; runs at the party, inside its autograd graph."""
        del level, rng
        return features

    def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        """Change a gradient before it is sent back to the party; runs at the server."""
        del level, rng
        return gradient

    def loss_term(
        self, images: Tensor, features: Mapping[int, Tensor], rng: Generator
    ) -> Tensor | None:
        """A scalar the party adds to its training loss; features are those about to be sent."""
        del images, features, rng
        return None


class UpdateRule(Protocol):
    """A defense at work on the weights of one network: rewrites its gradients before each step."""

    def rewrite(self, rng: Generator) -> None:
        """Replace the ``grad`` of every parameter; called after backward, before the step."""

    def release(self) -> None:
        """Take off whatever was hung on the network; training is over."""


@dataclass(frozen=True)
class Strength:
    """The setting that makes a defense stronger, for those who look for the least that is enough.

    Attributes:
        setting: name of the field.
        rising: whether a larger value protects more.
        instead: another setting that says the same in other terms; None where there is none.
    """

    setting: str
    rising: bool
    instead: Strength | None = None

    def of(self, setting: str) -> Strength | None:
        """Which way to turn a setting; None where it is no strength."""
        if setting == self.setting:
            return self
        return None if self.instead is None else self.instead.of(setting)


class Defense(Plugin):
    """Settings of one defense. Stacks with others, in the order of the configuration.

    Subclasses add settings as fields and override any of the methods. The three traits are what
    other defenses' claims rest on; whoever does not declare them voids those claims.

    Attributes:
        not_covered: what no claim of this defense protects, in plain words.
        post_processing: what leaves its guard depends on the message it was given, on keys and
            fresh randomness, and on nothing else.
        per_sample: treats each sample alone, in its messages and in the loss.
        learned: its guard has weights that train.
        silence: why silence under it may be believed: it takes information out, or a test here
            shows attacks reading through its kind (tests/defenses/test_silence.py). Empty: an audit
            cannot tell hiding from removing, so there is no "none shown" and no target is met.
            It is not inherited, and believed only of defenses that ship here.
        strength: which setting to turn; None where there is none to turn.
    """

    not_covered: ClassVar[str] = "everything: this defense makes no formal claim"
    post_processing: ClassVar[bool] = False
    per_sample: ClassVar[bool] = False
    learned: ClassVar[bool] = False
    silence: ClassVar[str] = ""
    strength: ClassVar[Strength | None] = None

    parties: tuple[str, ...] | None = Field(
        default=None, description="parties it acts at; unset: all"
    )
    former_names: ClassVar[Mapping[str, str]] = {"levels": "cuts"}

    cuts: tuple[CutChoice, ...] | None = Field(
        default=None, description="cuts it acts on, by name or number; unset: all that cross"
    )

    def reshape(self, split: SplitSpec) -> SplitSpec:
        """The split under this defense: for those that withhold cuts.

        Raises:
            ConfigurationError: it cannot withhold what it names.
        """
        return split

    def check(self, split: SplitSpec) -> None:
        """Refuse what cannot stand in this split; called after every defense reshaped it.

        Raises:
            UnknownNameError: it names a party that does not exist, or a cut that does not cross.
            ConfigurationError: it names one thing twice; it rewrites weight updates, and the split
                averages encoders.
        """
        rewrites = type(self).update_rule is not Defense.update_rule
        if rewrites and split.orientation == "horizontal":
            raise ConfigurationError(
                "a defense of weight updates stands in a vertical split",
                found=f"{type(self).__name__} in a horizontal one, where encoders are averaged",
                remedy="use a defense of the messages",
            )
        for party in self.parties or ():
            if party not in split.party_names:
                raise UnknownNameError.of("party of a defense", party, split.party_names)
        split.numbers(self.cuts, type(self).__name__)
        for what, named in (("parties", self.parties), ("cuts", self.with_names(split).cuts)):
            if named is not None and (not named or max(Counter(named).values()) > 1):
                raise ConfigurationError(
                    f"`{what}` of a defense names each once, and at least one",
                    found=f"{type(self).__name__}: {list(named)}",
                    remedy=f"leave `{what}` out to act on all",
                )

    def resolved(self, exposure: Exposure, split: SplitSpec) -> Self:
        """The same defense with every setting in effect: noise calibrated to a target, say.

        Guards are built from a resolved defense, and the record holds its settings beside those
        given. A resolved defense resolves to itself.

        Raises:
            ConfigurationError: no value of a setting reaches what was asked for.
        """
        del exposure, split
        return self

    def guard(self, site: Site, rng: Generator) -> Guard | None:
        """The guard for one party; None where it does nothing there.

        Args:
            site: where it will stand.
            rng: source of secret keys and initial weights.
        """
        del site, rng
        return None

    def undo(self, level: int, message: Tensor) -> Tensor | None:
        """What anybody can make of a message who knows this defense, and none of its secrets.

        A defense whose silence is to be believed must not hide behind an attack's ignorance: what
        its source tells is public (Kerckhoffs), so whoever wrote a code says here how it is undone.
        Keys and draws stay secret: they are not in the settings, unless the message carries them.
        Attacks call it where it is overridden, last defense first, and use it if more is read so.

        Args:
            level: number of the cut.
            message: (n, channels, *space), all samples that crossed together; not to be changed.

        Returns:
            (n, channels, *space), the features as far as they can be had; None: nothing undone.
        """
        del level, message
        return None

    def update_rule(self, owner: str, network: nn.Module) -> UpdateRule | None:
        """What rewrites the weight gradients of one network during training; None for nothing.

        Args:
            owner: party name or ``server``; the last layers belong to whoever holds the labels.
            network: an endpoint, the server's network, or the last layers.

        Raises:
            ConfigurationError: this network cannot be trained under this defense.
        """
        del owner, network
        return None

    def claim(self, exposure: Exposure, split: SplitSpec) -> Claim | None:
        """The guarantee, where clipping, sensitivity and accountant give one."""
        del exposure, split
        return None

    def no_claim_because(self, split: SplitSpec) -> str:
        """Why it makes no claim under these settings, in plain words; asked only where it is so."""
        del split
        return f"{type(self).__name__} bounds no privacy loss: its effect is measured, not proven"

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """Refuse to stand beside defenses that make no sense with this one.

        Args:
            before: those whose guards a message passes earlier.
            after: those whose guards it passes later.

        Raises:
            ConfigurationError: with the reason.
        """
        del before
        for other in after:
            if type(other) is type(self) and self.overlaps(other):
                raise ConfigurationError(
                    "a defense stands once in a stack on the same messages",
                    found=f"{type(self).__name__} twice",
                    remedy="use one, with the stronger setting, or other parties or levels",
                )

    def void_because(self, before: Sequence[Defense], after: Sequence[Defense]) -> str | None:
        """Why this defense's claim does not hold in this stack; None where it does."""
        for other in after:
            if not other.post_processing:
                return f"{type(other).__name__}, later in the stack, may use more than the message"
            if other.learned and not all(each.per_sample for each in (*before, *after)):
                return (
                    f"{type(other).__name__}, later in the stack, has weights that another defense "
                    "trains on the images"
                )
        return None

    def overlaps(self, other: Defense) -> bool:
        """Whether both can change the same message."""
        return _meet(self.parties, other.parties) and _meet(self.cuts, other.cuts)

    def wire_share(self, direction: Direction, level: int, channels: int) -> float:
        """Share of a message's bytes that must cross once it is encoded for the wire, 0 to 1.

        Asked only for parties and cuts it acts on.

        Args:
            direction: activation or gradient.
            level: number of the cut.
            channels: of the message.
        """
        del direction, level, channels
        return 1.0

    def acts_at(self, party: str) -> bool:
        """Whether it acts at that party."""
        return self.parties is None or party in self.parties

    def acts_on(self, level: int, split: SplitSpec) -> bool:
        """Whether it acts on the cut of that number."""
        return self.cuts is None or not {level, split.cut_name(level)}.isdisjoint(self.cuts)

    def acting_levels(self, site: Site) -> tuple[int, ...]:
        """The numbers of the cuts it acts on at a site, shallow first."""
        return tuple(level for level in sorted(site.shapes) if self.acts_on(level, site.split))

    def with_names(self, split: SplitSpec) -> Self:
        """The same defense, its cuts by name alone."""
        named = (split.cut_name(c) if isinstance(c, int) else c for c in self.cuts or ())
        return self if self.cuts is None else self.model_copy(update={"cuts": tuple(named)})


def _meet(first: Sequence[object] | None, second: Sequence[object] | None) -> bool:
    """Whether two selections share a member; None selects everything."""
    return first is None or second is None or not set(first).isdisjoint(second)
