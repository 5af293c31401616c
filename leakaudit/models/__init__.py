"""Networks that can be split, as plug-ins: what runs where, the loss, the prediction.

A model of one's own is a function that returns :class:`Stage` objects (``use = "callable"``), any
network cut at its submodules (``use = "cut"``), or a subclass of :class:`Model`.
"""

from leakaudit.models.measuring import measured
from leakaudit.models.model import Model, ReceivedShapes, Stage, model_of

__all__ = ["Model", "ReceivedShapes", "Stage", "measured", "model_of"]
