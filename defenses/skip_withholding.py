"""Do not send the features of some levels."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Strength
from leakaudit.split.spec import CutChoice, SplitSpec


class SkipWithholding(Defense):
    """Do not send the features of some levels: the server's decoder does without these skips.

    Protects: removes the messages, in both directions. What the deeper levels still carry is
    measured, not claimed.
    Source: Roth et al. 2022 (Split-U-Net) withhold what leaks most.
    """

    silence: ClassVar[str] = "what is not sent cannot be read"
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("cuts", rising=True)

    cuts: tuple[CutChoice, ...] = Field(
        min_length=1, description="levels not sent; the deepest at the parties must stay"
    )

    def reshape(self, split: SplitSpec) -> SplitSpec:
        """The split without these skips.

        Raises:
            UnknownNameError: a level does not cross.
            ConfigurationError: one is the deepest, or one party is to withhold what others send.
        """
        if not split.is_reference:
            raise ConfigurationError(
                "skip-withholding needs a server that does without some cuts: split-u-net's",
                found=f"the model {split.model.use}",
                remedy="cut the network elsewhere, or use another defense",
            )
        withheld = split.numbers(self.cuts, "skip-withholding")
        deepest = split.party_levels - 1
        kept = tuple(level for level in split.crossing if level != deepest)
        if deepest in withheld:
            raise ConfigurationError(
                "the deepest level at the parties cannot be withheld: nothing would be left",
                found=split.cut_name(deepest),
                remedy=f"withhold out of {', '.join(map(split.cut_name, kept))}, or lower "
                "party_levels"
                if kept
                else "raise party_levels, so that a deeper level crosses instead",
            )
        if self.parties is not None:
            raise ConfigurationError(
                "a level is withheld by all parties or by none: the server's network is one",
                found=f"parties {list(self.parties)}",
                remedy="leave `parties` out of skip-withholding",
            )
        remaining = tuple(level for level in kept if level not in withheld)
        return split.model_copy(update={"skips": remaining})

    def check(self, split: SplitSpec) -> None:
        """Nothing is left to check: `reshape` saw the split before the levels were gone."""
        del split
