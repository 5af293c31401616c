"""The training loss, as models define it unless they say otherwise."""

from leakaudit.models.loss import sample_losses, segmentation_loss

__all__ = ["sample_losses", "segmentation_loss"]
