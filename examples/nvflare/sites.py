"""What runs where: an encoder at each site, the rest and the labels at the server."""

from __future__ import annotations

from functools import cache

import torch
from nvflare.collab import collab
from torch import nn

from leakaudit.adapters.nvflare import Told, recorded
from leakaudit.cohorts.phantom import Phantom
from leakaudit.recording import HERE, Crossing, Job, Recorder, questions, read_sheet

MODALITY = {"north": "T1", "south": "FLAIR"}
BATCH = 5


@cache
def cohort():
    """The images; a site would read its own modality from its own disk."""
    return Phantom(patients=20, slices_per_patient=2, size=48).load()


class Site:
    """Runs an encoder. Three lines record it: two decorators, and where the recorder is made."""

    def __init__(self, traces, sheet, epochs):
        self.traces, self.sheet, self.epochs = traces, sheet, epochs

    @collab.init
    def start(self):
        name, data = collab.site_name, cohort()
        self.images = torch.from_numpy(data.images[:, [data.modalities.index(MODALITY[name])]])
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.LeakyReLU())
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), 0.01)
        job = Job(
            parties={each: (modality,) for each, modality in MODALITY.items()},
            epochs=self.epochs, batch_size=BATCH, learning_rate=0.01, recorded_at=(name,),
            run="monday",
        )  # fmt: skip
        self.recorder = Recorder(f"{self.traces}/{name}", read_sheet(self.sheet), job)

    @collab.publish
    @recorded(gives=Crossing(HERE), told=Told("rows", draw="draw"))
    def forward(self, rows, epoch, step, draw=None):
        chosen = torch.tensor(rows)
        # -1 asks about an image of zeros.
        images = torch.where((chosen >= 0)[:, None, None, None], self.images[chosen], 0.0)
        if draw is not None:
            with torch.no_grad():
                return self.encoder(images)
        self.sent = self.encoder(images)
        return self.sent.detach()

    @collab.publish
    @recorded(takes={"gradient": Crossing(HERE)}, told=Told("rows"))
    def backward(self, gradient, rows, epoch, step):
        self.optimiser.zero_grad()
        self.sent.backward(gradient)
        self.optimiser.step()

    @collab.publish
    def end_epoch(self, epoch):
        self.recorder.finish_epoch(epoch)

    @collab.final
    def stop(self):
        self.recorder.close()


class Server:
    """Holds the labels, and drives the sites."""

    def __init__(self, sheet, epochs):
        self.sheet, self.epochs = sheet, epochs

    @collab.main
    def train(self):
        sheet = read_sheet(self.sheet)
        masks = torch.from_numpy(cohort().masks()).float()
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(16, masks.shape[1], 2, 2)
        )
        optimiser = torch.optim.Adam(network.parameters(), 0.01)
        rows = torch.tensor([each.sample for each in sheet.traced()])
        sites = {each.name: each for each in collab.clients}
        for epoch in range(self.epochs):
            for step, chosen in enumerate(rows[torch.randperm(len(rows))].split(BATCH)):
                batch = chosen.tolist()
                sent = {
                    name: site.forward(batch, epoch, step).requires_grad_()
                    for name, site in sites.items()
                }
                logits = network(torch.cat([sent[name] for name in MODALITY], dim=1))
                loss = nn.functional.binary_cross_entropy_with_logits(logits, masks[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                for name, site in sites.items():
                    site.backward(sent[name].grad, batch, epoch, step)
            # In recorded epochs the sites are asked what they would send: this trains nothing.
            last = epoch == self.epochs - 1
            for question in questions(sheet, epoch, BATCH) if last else ():
                for site in sites.values():
                    site.forward(question.samples.tolist(), epoch, 0, question.draw)
            for site in sites.values():
                site.end_epoch(epoch)
        return float(loss)
