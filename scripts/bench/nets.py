"""Published architectures with random weights, for benchmarks.

Of attributions: each function returns ``(module, length)``; the module is in eval mode and turns (N, 4, length) into
(N,). Of variants: ``tracks_of`` gives all outputs of such a net.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["basset_like", "beluga_like", "bpnet_like", "recurrent", "spliceai_like", "tracks_of"]


class _Track(nn.Module):
    """One track's logit."""

    def __init__(self, net: nn.Module, track: int) -> None:
        super().__init__()
        self.net, self.track = net, track

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, self.track]


def _settled(module: nn.Module) -> nn.Module:
    """Batch norm with statistics of a trained net's kind; eval mode."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.1, 0.5)
    return module.eval()


def basset_like(seed: int = 0) -> tuple[nn.Module, int]:
    """Basset (Kelley et al. 2016, doi:10.1101/gr.200535.115): three pooled convolutions, two dense layers; 600 bp."""
    torch.manual_seed(seed)

    def convolution(inputs: int, outputs: int, width: int, pool: int) -> list[nn.Module]:
        return [nn.Conv1d(inputs, outputs, width), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(pool)]

    def hidden(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.3)]

    net = nn.Sequential(
        *convolution(4, 300, 19, 3),
        *convolution(300, 200, 11, 4),
        *convolution(200, 200, 7, 4),
        nn.Flatten(),
        *hidden(200 * 10, 1000),
        *hidden(1000, 1000),
        nn.Linear(1000, 164),
    )
    return _settled(_Track(net, 0)), 600


def beluga_like(seed: int = 0) -> tuple[nn.Module, int]:
    """Beluga (Zhou et al. 2018, doi:10.1038/s41588-018-0160-6): six wide convolutions, one dense layer; 2,000 bp."""
    torch.manual_seed(seed)

    def pair(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv1d(inputs, outputs, 8), nn.ReLU(), nn.Conv1d(outputs, outputs, 8), nn.ReLU()]

    net = nn.Sequential(
        *pair(4, 320),
        nn.Dropout(0.2),
        nn.MaxPool1d(4),
        *pair(320, 480),
        nn.Dropout(0.2),
        nn.MaxPool1d(4),
        *pair(480, 640),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(640 * 106, 2003),
        nn.ReLU(),
        nn.Linear(2003, 2002),
    )
    return _settled(_Track(net, 0)), 2000


class _BPNet(nn.Module):
    """Dilated residual convolutions and two heads, both computed; the counts are returned, or the profile's sum."""

    def __init__(self, head: str, n_filters: int = 64, n_layers: int = 8, trimming: int = 557) -> None:
        super().__init__()
        self.head, self.trimming = head, trimming
        self.iconv = nn.Conv1d(4, n_filters, kernel_size=21, padding=10)
        self.rconvs = nn.ModuleList(
            nn.Conv1d(n_filters, n_filters, kernel_size=3, padding=2**i, dilation=2**i) for i in range(1, n_layers + 1)
        )
        self.fconv = nn.Conv1d(n_filters, 2, kernel_size=75, padding=37)
        self.linear = nn.Linear(n_filters, 1)

    def tracks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self.trimming, x.shape[2] - self.trimming
        x = self.iconv(x).relu()
        for conv in self.rconvs:
            x = x + conv(x).relu()
        return self.fconv(x)[:, :, start:end], self.linear(x[:, :, start - 37 : end + 37].mean(2))

    def forward(self, x: Tensor) -> Tensor:
        profile, counts = self.tracks(x)
        return counts[:, 0] if self.head == "counts" else profile.sum((1, 2))


def bpnet_like(seed: int = 0, head: str = "counts") -> tuple[nn.Module, int]:
    """BPNet (Avsec et al. 2021, doi:10.1038/s41588-021-00782-6) as bpnet-lite trains it, 64 filters; 2,114 bp.

    ``head``: ``counts``, or ``profile`` for the sum of its logits.
    """
    torch.manual_seed(seed)
    return _settled(_BPNet(head)), 2114


class _Recurrent(nn.Module):
    """A convolution and two bidirectional recurrent layers, whose every step an edit changes."""

    def __init__(self, cell: type[nn.Module], width: int) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 32, 9, padding=4)
        self.first = cell(32, width, batch_first=True, bidirectional=True)
        self.second = cell(2 * width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu().transpose(1, 2)
        return self.head(self.second(self.first(x)[0])[0].mean(1))[:, 0]


def recurrent(seed: int = 0, cell: type[nn.Module] = nn.LSTM, width: int = 32) -> tuple[nn.Module, int]:
    """Two bidirectional LSTMs, or GRUs, on 70 bp, a short promoter."""
    torch.manual_seed(seed)
    return _Recurrent(cell, width).eval(), 70


class _Residual(nn.Module):
    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(2):
            convolution = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
            parts += [nn.BatchNorm1d(channels), nn.ReLU(), convolution]
        self.inner = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class _SpliceAI(nn.Module):
    """Residual blocks in four groups of growing reach, a skip connection from each; probabilities of three classes."""

    GROUPS = ((11, 1), (11, 4), (21, 10), (41, 25))

    def __init__(self, channels: int = 32, flank: int = 5000) -> None:
        super().__init__()
        self.flank = flank
        self.first, self.skip = nn.Conv1d(4, channels, 1), nn.Conv1d(channels, channels, 1)
        self.groups = nn.ModuleList(
            nn.Sequential(*(_Residual(channels, kernel, dilation) for _ in range(4)))
            for kernel, dilation in self.GROUPS
        )
        self.skips = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in self.GROUPS)
        self.last = nn.Conv1d(channels, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        total = self.skip(x)
        for group, skip in zip(self.groups, self.skips, strict=True):
            x = group(x)
            total = total + skip(x)
        return self.last(total[:, :, self.flank : -self.flank]).softmax(1)


def spliceai_like(seed: int = 0) -> tuple[nn.Module, int]:
    """SpliceAI-10k (Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015): 15,000 bp, 5,000 of them predicted."""
    torch.manual_seed(seed)
    return _settled(_SpliceAI()), 15_000


class _Tracks(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        if isinstance(self.net, _BPNet):
            return self.net.tracks(x)
        return self.net.net(x) if isinstance(self.net, _Track) else self.net(x)


def tracks_of(net: nn.Module) -> nn.Module:
    """All outputs of a net of this module: 164 tracks of a Basset, profile and counts of a BPNet."""
    return _Tracks(net).eval()
