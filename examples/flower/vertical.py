"""A vertical split in Flower: two clients run encoders, the ServerApp the rest."""

from __future__ import annotations

import os
from functools import cache

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from torch import nn

from leakaudit.adapters.flower import RecordingGrid, RecordingMod
from leakaudit.cohorts.phantom import Phantom
from leakaudit.recording import Job, Recorder, read_sheet

SITES = {"north": "T1", "south": "FLAIR"}
EPOCHS, BATCH = 3, 5

JOB = Job(
    parties={site: (modality,) for site, modality in SITES.items()},
    epochs=EPOCHS, batch_size=BATCH, learning_rate=0.5, run="monday",
)  # fmt: skip


def site_of(context: Context) -> str:
    """Which hospital a client is: node ids do not say it."""
    return list(SITES)[int(context.node_config["partition-id"])]


# One of the two suffices: a mod at the clients, or a Grid at the server. As the first mod it sees
# what leaves the site; as the last what the app itself gave.
mods = []
if "AT_CLIENTS" in os.environ:
    mods += [RecordingMod(os.environ["AT_CLIENTS"], os.environ["SAMPLE_SHEET"], JOB, site=site_of)]
client_app, server_app = ClientApp(mods=mods), ServerApp()


@cache
def cohort():
    """The images; a site would read its own modality from its own disk."""
    return Phantom(patients=20, slices_per_patient=2, size=48).load()


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Send features, or learn from the gradient of those that were sent."""
    site = site_of(context)
    told = message.content.config_records["told"]
    data, rows = cohort(), torch.tensor(told["keys"])
    images = torch.from_numpy(data.images[:, [data.modalities.index(SITES[site])]])
    # -1 asks about an image of zeros.
    images = torch.where((rows >= 0)[:, None, None, None], images[rows], 0.0)
    # A client's process ends with its message: the network lives in the context's state.
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.LeakyReLU())
    if "encoder" in context.state.array_records:
        kept = context.state.array_records["encoder"]
        encoder.load_state_dict(kept.to_torch_state_dict())
    features = encoder(images)
    reply = RecordDict({"told": ConfigRecord({**told, "party": site})})
    if "back" in message.content.array_records:
        gradient = message.content.array_records["back"]["gradient"].numpy()
        features.backward(torch.from_numpy(gradient.copy()))
        with torch.no_grad():
            for weight in encoder.parameters():
                weight -= 0.5 * weight.grad
        context.state.array_records["encoder"] = ArrayRecord(encoder.state_dict())
    else:
        sent = Array(features.detach().numpy())
        reply["forth"] = ArrayRecord({"features": sent})
    return Message(reply, reply_to=message)


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, with a recorder around the grid: one line."""
    del context
    sheet = read_sheet(os.environ["SAMPLE_SHEET"])
    with Recorder(os.environ["TRACE"], sheet, JOB) as recorder:
        exchange(RecordingGrid(grid, recorder), sheet, recorder)


def exchange(grid, sheet, recorder) -> None:
    """The job as it was, and what it is asked in recorded epochs."""
    masks = torch.from_numpy(cohort().masks()).float()
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(16, masks.shape[1], 2, 2)
    )
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    rows = torch.tensor([each.sample for each in sheet.traced()])

    def send(told, back=None):
        messages = []
        for node in grid.get_node_ids():
            content = RecordDict({"told": ConfigRecord(told)})
            if back is not None:
                content["back"] = ArrayRecord({"gradient": Array(back[node].numpy())})
            messages.append(Message(content, dst_node_id=node, message_type="train"))
        replies = grid.send_and_receive(messages)
        return {each.metadata.src_node_id: each.content for each in replies}

    for epoch in range(EPOCHS):
        for step, chosen in enumerate(rows[torch.randperm(len(rows))].split(BATCH)):
            told = {"keys": chosen.tolist(), "epoch": epoch, "step": step}
            replies = send(told)
            sent = {
                node: torch.from_numpy(
                    each.array_records["forth"]["features"].numpy().copy()
                ).requires_grad_()
                for node, each in replies.items()
            }
            order = sorted(sent, key=lambda node: replies[node].config_records["told"]["party"])
            logits = network(torch.cat([sent[node] for node in order], dim=1))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, masks[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            send(told, {node: each.grad for node, each in sent.items()})
        for question in recorder.questions(epoch):
            asked = question.samples.tolist()
            send({"keys": asked, "epoch": epoch, "step": 0, "draw": question.draw})
        recorder.finish_epoch(epoch)
