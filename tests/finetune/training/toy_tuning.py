"""A small model and batches that are a pure function of seed and epoch."""

import torch
from torch import nn

from finetune.config import TrainConfig
from finetune.data.batches import Batch
from finetune.training.losses import loss_of
from finetune.training.train import train

TRUTH = torch.tensor([[0.5, -1.0, 1.5, 0.0], [1.0, 0.5, -0.5, 0.2]])
STEPS = 6


class Toy(nn.Module):
    """Frozen trunk with batch norm and dropout, and heads that are trained."""

    def __init__(self, heads=("main",), seed=0, norm=False):
        super().__init__()
        torch.manual_seed(seed)
        self.trunk = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.trunk.requires_grad_(False)
        self.after = nn.Sequential(nn.Conv1d(4, 8, 1), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({head: nn.Conv1d(16, 2, 1) for head in heads})

    def forward(self, batch):
        both = torch.cat([self.trunk(batch.inputs), torch.tanh(self.after(batch.inputs))], dim=1)
        return self.heads[batch.head](both)


def batch_of(seed, epoch, i, head="main", n=8, length=12):
    random = torch.Generator().manual_seed(1_000_003 * seed + 1009 * epoch + i)
    codes = torch.randint(0, 4, (n, length), generator=random)
    inputs = nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    target = torch.poisson(torch.exp(torch.einsum("tc,ncl->ntl", TRUTH, inputs)), generator=random)
    target[0, 0, :3] = torch.nan
    return Batch(head, inputs, False, target, torch.ones(n, 2), None, None, None, torch.arange(n), None)


def batches(seed=0, heads=("main",), steps=STEPS):
    def of_epoch(epoch):
        for i in range(steps):
            yield batch_of(seed, epoch, i, heads[i % len(heads)])

    return of_epoch


def validation(heads=("main",), steps=2):
    def give():
        for i in range(steps):
            for head in heads:
                yield batch_of(99, 0, i, head)

    return give


def config(**keys):
    return TrainConfig(**({"epochs": 4, "batch": 8, "lr": 0.02, "accelerator": "cpu", "threads": 1} | keys))


def run(folder, settings=None, *, model=None, resume=False, epochs=None, given=None, **more):
    """Train the toy."""
    model = Toy() if model is None else model
    settings = config() if settings is None else settings
    losses = {head: loss_of("poisson") for head in model.heads}
    heads = tuple(model.heads)
    given = batches(settings.seed, heads) if given is None else given
    judged = more.pop("validation", validation(heads))
    steps = more.pop("steps", STEPS)
    return model, train(model, given, judged, settings, losses, folder, steps, resume=resume, **more)
