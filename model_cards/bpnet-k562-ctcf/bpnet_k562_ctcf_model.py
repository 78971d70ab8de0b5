"""BPNet (Avsec et al. 2021, doi:10.1038/s41588-021-00782-6) as bpnet-lite trains it, without a control track."""

import torch
from torch import Tensor, nn


class BPNet(nn.Module):
    """Profile logits of two strands and log counts.

    (N, 4, 2114) one-hot to ((N, 2, 1000), (N, 1)). ``trimming`` bp at both ends are context only.
    """

    def __init__(self, n_filters: int, n_layers: int, trimming: int) -> None:
        super().__init__()
        self.trimming = trimming
        self.iconv = nn.Conv1d(4, n_filters, kernel_size=21, padding=10)
        self.irelu = nn.ReLU()
        self.rconvs = nn.ModuleList(
            nn.Conv1d(n_filters, n_filters, kernel_size=3, padding=2**i, dilation=2**i) for i in range(1, n_layers + 1)
        )
        self.rrelus = nn.ModuleList(nn.ReLU() for _ in range(n_layers))
        self.fconv = nn.Conv1d(n_filters, 2, kernel_size=75, padding=37)
        self.linear = nn.Linear(n_filters, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self.trimming, x.shape[2] - self.trimming
        x = self.irelu(self.iconv(x))
        for conv, relu in zip(self.rconvs, self.rrelus, strict=True):
            x = torch.add(x, relu(conv(x)))
        profile = self.fconv(x)[:, :, start:end]
        # bpnet-lite averages the counts head over the profile's receptive field, 37 bp beyond it.
        counts = self.linear(x[:, :, start - 37 : end + 37].mean(dim=2))
        return profile, counts
