"""Which epochs of a training run are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from leakaudit.errors import ConfigurationError


class EveryEpochs(BaseModel):
    """Each k-th epoch, counted back from the last, so that the last is always among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: PositiveInt = Field(description="distance between recorded epochs")


class RecordingSettings(BaseModel):
    """What is recorded of a training run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Literal["last", "all", "early and last"] | tuple[NonNegativeInt, ...] | EveryEpochs = (
        Field(
            default="last",
            description='"last", "all", "early and last" (1, 2 and the last), a list such as '
            "[0, 9], or {every = 5}; epochs count from 0",
        )
    )
    weight_updates: NonNegativeInt = Field(
        default=0,
        description="training samples whose encoder gradient is recorded, per recorded epoch",
    )

    def chosen(self, trained: int) -> tuple[int, ...]:
        """The recorded epochs, rising.

        Args:
            trained: number of epochs of the training, at least 1.

        Raises:
            ConfigurationError: a listed epoch is never trained, or the list is empty.
        """
        match self.epochs:
            case "last":
                return (trained - 1,)
            case "all":
                return tuple(range(trained))
            case "early and last":
                # Gradients of early epochs cover a whole lesion, those of late ones its border.
                return tuple(sorted({min(1, trained - 1), min(2, trained - 1), trained - 1}))
            case EveryEpochs(every=every):
                return tuple(range(trained - 1, -1, -every))[::-1]
            case listed:
                beyond = [epoch for epoch in listed if epoch >= trained]
                if beyond or not listed:
                    raise ConfigurationError(
                        f"recorded epochs must be among the {trained} trained, 0 to {trained - 1}",
                        found=beyond[0] if beyond else "an empty list",
                        remedy="mend `epochs` under `recording`, or train longer",
                    )
                return tuple(sorted(set(listed)))
