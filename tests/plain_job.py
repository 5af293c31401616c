"""A job as somebody writes it in plain PyTorch: two encoders, a server, its own names for rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.cohorts.cohort import Group
from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plan.materials import Materials, load_cohort, split_patients
from leakaudit.recording import Crossing, Job, Recorder, SampleSheet
from leakaudit.recording.sheets import sheet_of

AUDIT = """
seeds = [0]
[cohort]
use = "phantom"
patients = 14
slices_per_patient = 2
size = 32
[groups]
training = 6
auxiliary = 6
validation = 2
[split]
parties = [{name = "north", modalities = ["T1"]}, {name = "south", modalities = ["FLAIR"]}]
[judgement]
dependence = false
lpips = "off"
[[adversaries]]
preset = "curious-server"
question = "same image"
[[attacks]]
use = "decoder-inversion"
steps = 40
"""
CROSSINGS = {"north": Crossing("north"), "south": Crossing("south")}


class SplitNetwork(nn.Module):
    """Nothing of it is a U-Net of ours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.north, self.south = (
            nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.LeakyReLU()) for _ in range(2)
        )
        self.server = nn.Sequential(
            nn.Conv2d(12, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 2, 2)
        )

    def forward(self, t1: Tensor, flair: Tensor) -> Tensor:
        logits: Tensor = self.server(torch.cat([self.north(t1), self.south(flair)], 1))
        return logits


class PlainJob:
    """The cohort is the audit's; rows are known by the job's own names."""

    def __init__(self, folder: Path, text: str = AUDIT) -> None:
        self.file = folder / "audit.toml"
        self.file.write_text(text, encoding="utf-8")
        self.configuration: AuditConfiguration = read_configuration(self.file)[0]
        cohort = load_cohort("phantom", self.configuration.cohort.settings)
        groups = split_patients(cohort, self.configuration.groups)
        self.given = Materials(cohort, groups, cohort.masks())
        self.rows = groups.indices[Group.TRAINING].tolist()
        self.names = {f"scan-{97 * row % 89}": row for row in self.rows}
        self.sheet: SampleSheet = sheet_of(self.given).with_keys(self.names)
        self.network = SplitNetwork()

    def images(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """T1 and FLAIR of samples of the cohort; zeros for -1."""
        every = torch.from_numpy(self.given.cohort.images)
        some = torch.where((samples >= 0)[:, None, None, None], every[samples], 0.0)
        names = self.given.cohort.modalities
        t1, flair = (names.index(name) for name in ("T1", "FLAIR"))
        return some[:, [t1]], some[:, [flair]]

    def train(
        self, recorder: Recorder, epochs: int = 2, *, ask: bool = True, batch: int = 4
    ) -> None:
        optimiser = torch.optim.SGD(self.network.parameters(), 0.05)
        masks = torch.from_numpy(self.given.masks).float()[:, :1]
        names = list(self.names)
        with recorder.tapping(self.network, CROSSINGS):
            for epoch in range(epochs):
                for some in torch.randperm(len(names)).split(batch):
                    keys = [names[each] for each in some.tolist()]
                    rows = torch.tensor([self.names[key] for key in keys])
                    recorder.at(keys, epoch=epoch)
                    loss = nn.functional.binary_cross_entropy_with_logits(
                        self.network(*self.images(rows)), masks[rows]
                    )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                for question in recorder.questions(epoch) if ask else ():
                    with recorder.asking(question):
                        self.network(*self.images(question.samples))
                recorder.finish_epoch(epoch)


def job(**changes: Any) -> Job:
    parties = {"north": ("T1",), "south": ("FLAIR",)}
    return Job(**({"parties": parties, "epochs": 2} | changes))
