"""ISM by windows on the published BPNet weights gives what full forward passes give."""

from typing import ClassVar

import numpy as np
import pytest
import torch

import zoo
from interpret.methods.ism import Mutagenesis

pytestmark = pytest.mark.shared


class Head(torch.nn.Module):
    """The counts, or BPNet's weighted profile with the weights held fixed."""

    def __init__(self, net, profile):
        super().__init__()
        self.net, self.profile = net, profile

    zoo_explain: ClassVar = {"fixed": "weights"}

    def weights(self, x):
        return self.net(x)[0].softmax(2) if self.profile else None

    def forward(self, x, weights=None):
        profile, counts = self.net(x)
        if not self.profile:
            return counts[:, 0]
        weights = profile.softmax(2) if weights is None else weights
        return ((profile - profile.mean(2, keepdim=True)) * weights).sum((1, 2))


@pytest.mark.parametrize("profile", [True])
def test_published_weights(profile):
    net = zoo.load_model("bpnet-k562-ctcf").module
    head = Head(net.eval(), profile)
    letters = np.random.default_rng(1).integers(0, 4, 2114)
    letters[1050:1069] = ["ACGT".index(base) for base in "TGGCCACCAGGGGGCGCTA"]  # CTCF's motif (JASPAR MA0139)
    one_hot = np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].T[None])
    method = Mutagenesis(head, 2114, fast=True)
    scores = method.mutate_all(one_hot)
    assert (method.report.path, method.report.recomputed, method.report.checked) == ("fast", 0, 64)
    assert method.report.largest_difference < 1e-5
    # The motif's core is where edits matter.
    spread = np.ptp(scores[0], axis=0)
    assert 1050 <= int(spread.argmax()) < 1069
