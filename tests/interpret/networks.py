"""Nets as they are written: residual, dilated, gated, attending, recurrent, functional, in place; one number out.

Each is ``(what makes it, words of the error)``: words where DeepLIFT/SHAP refuses it, None where it is complete.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LENGTH", "NETWORKS", "make_network"]

LENGTH, WIDTH = 48, 8


def conv(kernel: int = 3, **more: int) -> nn.Conv1d:
    """A convolution that keeps the length."""
    return nn.Conv1d(WIDTH, WIDTH, kernel, padding="same", **more)


class Body(nn.Module):
    """Stem, the body on (N, 8, 48), and a linear head."""

    def __init__(self, forward: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.stem, self.parts, self.body, self.head = conv_stem(), nn.ModuleList(parts), forward, nn.LazyLinear(1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.body(self.stem(x), *self.parts)
        return self.head(found.reshape(x.shape[0], -1))[:, 0]


def conv_stem() -> nn.Conv1d:
    return nn.Conv1d(4, WIDTH, 7, padding=3)


def sequence(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _steps(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def _loop(x: Tensor, cell: nn.LSTMCell) -> Tensor:
    h = c = x.new_zeros(x.shape[0], 6)
    for step in range(12):
        h, c = cell(x[:, :, 4 * step], (h, c))
    return h


def _own_gates(x: Tensor, update: nn.Linear, candidate: nn.Linear) -> Tensor:
    h = x.new_zeros(x.shape[0], WIDTH)
    for step in range(6):
        both = torch.cat([x[:, :, 8 * step], h], 1)
        z = torch.sigmoid(update(both))
        h = (1 - z) * h + z * torch.tanh(candidate(both))
    return h


def _squeeze(x: Tensor, down: nn.Linear, up: nn.Linear) -> Tensor:
    return x * torch.sigmoid(up(F.relu(down(x.mean(2)))))[:, :, None]


def _attend_after(x: Tensor, lstm: nn.LSTM, score: nn.Linear) -> Tensor:
    h = lstm(_steps(x))[0]
    return (h * score(h).softmax(1)).sum(1)


def _in_place(x: Tensor, first: nn.Conv1d) -> Tensor:
    x = F.relu(first(x), inplace=True)
    x *= 0.5
    x[:, :, :4] = 0
    return x.add_(1)


def _both_strands(x: Tensor, shared: nn.Module) -> Tensor:
    return torch.maximum(shared(x), shared(x.flip(1, 2)).flip(1, 2))


def _reused(x: Tensor, relu: nn.Module, first: nn.Module, second: nn.Module) -> Tensor:
    x = relu(first(x))
    return x + relu(second(relu(x)))


def _states(x: Tensor, gru: nn.GRU, first: nn.Linear) -> Tensor:
    h = torch.tanh(first(x.mean(2)))[None].contiguous()
    return gru(_steps(x), h)[0][:, -1]


def _last_states(x: Tensor, lstm: nn.LSTM) -> Tensor:
    _, (h, c) = lstm(_steps(x))
    return torch.cat([h[-1], c[-2]], 1)


def _packed(x: Tensor, lstm: nn.LSTM) -> Tensor:
    lengths = torch.full((x.shape[0],), LENGTH)
    packed = nn.utils.rnn.pack_padded_sequence(_steps(x), lengths, batch_first=True)
    return nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)[0]


def _tied(x: Tensor, layer: nn.Conv1d) -> Tensor:
    return F.conv_transpose1d(F.relu(layer(x)), layer.weight, padding=1)


def _relative(x: Tensor, q: nn.Linear, k: nn.Linear, v: nn.Linear, bias: nn.Embedding) -> Tensor:
    """Attention with a learned bias for each distance."""
    x = rearrange(x, "n c l -> n l c")
    apart = (torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)).abs()
    scores = torch.einsum("nid,njd->nij", q(x), k(x)) / 3 + bias(apart)[..., 0]
    return torch.einsum("nij,njd->nid", scores.softmax(-1), v(x))


_MASK = torch.full((LENGTH, LENGTH), -torch.inf).triu(1)
_PADDED = torch.arange(LENGTH) > 40
_PADDING = torch.zeros(LENGTH).masked_fill(_PADDED, -torch.inf)


def _added_masks(x: Tensor, q: nn.Linear) -> Tensor:
    """What is masked is -inf in a sequence and in its references, so that their difference is no number."""
    x = _steps(x)
    scores = q(x) @ x.transpose(1, 2) + _MASK
    found = scores.softmax(-1) @ x + torch.sigmoid(scores) @ x
    return found + F.scaled_dot_product_attention(x, x, x, attn_mask=_MASK + _PADDING)


def _behind(x: Tensor) -> Tensor:
    padded = x + _PADDING
    most = torch.cat([padded.amax(2), padded.max(1).values[:, :30], torch.logsumexp(padded, 2)], 1)
    pooled = F.max_pool1d(F.pad(x, (2, 2), value=-torch.inf), 5, 3).flatten(1)
    return torch.cat([most, pooled, F.log_softmax(padded, 2)[..., :30].flatten(1)], 1)


def _above(x: Tensor) -> Tensor:
    padded = x + _PADDING
    best = torch.maximum(padded, torch.tanh(x.flip(2)))
    ranked = torch.cat([padded.topk(3, 2).values, padded.sort(2, descending=True).values[..., 4:6]], 2)
    return torch.cat([best, ranked, padded.flip(2).cummax(2).values[..., 20:]], 2)


def _grouped_queries(x: Tensor, q: nn.Linear, k: nn.Linear) -> Tensor:
    """Four heads of queries, two of keys and values."""
    queries, keys = (layer(_steps(x)).unflatten(2, (-1, 2)).transpose(1, 2) for layer in (q, k))
    return F.scaled_dot_product_attention(queries, keys, keys, enable_gqa=True)


def _by_other_names(x: Tensor, layer: nn.Linear) -> Tensor:
    """torch has several names for what only rearranges, adds or multiplies."""
    steps = torch.subtract(layer(x.mT), x.adjoint().flip(1), alpha=2)
    steps = torch.linalg.matmul(steps.moveaxis(1, 2), F.relu(steps)).swapdims(1, 2).mH / LENGTH
    wide = torch.dstack(
        [torch.hsplit(x, 2)[1], torch.dsplit(torch.negative(x), 2)[0][:, :4].broadcast_to(len(x), 4, 24)]
    )
    table = torch.atleast_3d(torch.column_stack([x[:, 0], x[:, 1].resolve_neg()]))
    corners = torch.diag_embed(torch.linalg.diagonal(steps)).sum(2)
    image = F.interpolate(x[:, None], size=(4, 20), mode="bicubic", antialias=True)
    image = torch.cat([image, F.interpolate(x[:, None], size=(4, 20), mode="bicubic")], 1)
    return torch.cat([part.flatten(1) for part in (F.relu(steps), wide, table, corners, F.relu(image))], 1)


def _u_net(x: Tensor, down: nn.Conv1d, up: nn.ConvTranspose1d, out: nn.Conv1d) -> Tensor:
    small = F.gelu(down(x))
    return out(torch.cat([x, F.gelu(up(small))], 1))


def _mixture(x: Tensor, gate: nn.Linear, *experts: nn.Module) -> Tensor:
    weights = gate(x.mean(2)).softmax(1)
    return torch.stack([w[:, None] * e(x).mean(2) for w, e in zip(weights.unbind(1), experts, strict=True)]).sum(0)


def _lstm(*more: int, **options: object) -> nn.LSTM:
    return nn.LSTM(WIDTH, 6, *more, batch_first=True, **options)


#: Name -> (body, its parts, words of the error where it is refused).
BODIES: dict[str, tuple] = {
    "linear": (lambda x: x, (), None),
    "basset": (lambda x, p: p(x), (lambda: sequence(conv(), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(3)),), None),
    "residual": (lambda x, c: x + F.relu(c(x)), (conv,), None),
    "pre-activated": (lambda x, n, c: x + c(F.gelu(n(x))), (lambda: nn.BatchNorm1d(8), conv), None),
    "dilated": (
        lambda x, *cs: sum((F.relu(c(x)) for c in cs), x),
        tuple(lambda d=d: conv(3, dilation=d) for d in (1, 2, 4, 8)),
        None,
    ),
    "one relu reused in a dilated net": (
        _reused,
        (nn.ReLU, lambda: conv(3, dilation=2), lambda: conv(3, dilation=4)),
        None,
    ),
    "one convolution twice": (lambda x, c: F.relu(c(F.relu(c(x)))), (conv,), None),
    "tied transposed convolution": (_tied, (lambda: nn.Conv1d(8, 8, 3, padding=1),), None),
    "gated": (lambda x, a, b: torch.tanh(a(x)) * torch.sigmoid(b(x)), (conv, conv), None),
    "glu": (lambda x, c: F.glu(c(x), 1), (lambda: nn.Conv1d(8, 16, 1),), None),
    "swiglu": (
        lambda x, a, b: F.silu(a(_steps(x))) * b(_steps(x)),
        (lambda: nn.Linear(8, 12), lambda: nn.Linear(8, 12)),
        None,
    ),
    "squeeze and excite": (_squeeze, (lambda: nn.Linear(8, 2), lambda: nn.Linear(2, 8)), None),
    "branches": (
        lambda x, *cs: torch.cat([F.relu(c(x)) for c in cs], 1),
        (conv, lambda: conv(5), lambda: conv(1)),
        None,
    ),
    "depthwise": (lambda x, a, b: b(F.relu6(a(x))), (lambda: conv(5, groups=8), lambda: conv(1)), None),
    "u-net": (
        _u_net,
        (lambda: nn.Conv1d(8, 16, 4, 4), lambda: nn.ConvTranspose1d(16, 8, 4, 4), lambda: nn.Conv1d(16, 4, 1)),
        None,
    ),
    "two-dimensional": (lambda x, c: F.max_pool2d(F.relu(c(x[:, None])), (2, 4)), (lambda: nn.Conv2d(1, 4, 3),), None),
    "functional": (lambda x: F.avg_pool1d(F.elu(F.layer_norm(x, (LENGTH,))), 4), (), None),
    "in place": (_in_place, (conv,), None),
    "both strands": (_both_strands, (lambda: sequence(conv(), nn.ReLU()),), None),
    "mean of both strands": (lambda x, c: (c(x) + c(x.flip(1, 2)).flip(1, 2)).relu(), (conv,), None),
    "layer norm": (lambda x, n: n(_steps(x)), (lambda: nn.LayerNorm(8),), None),
    "group norm": (lambda x, n: F.relu(n(x)), (lambda: nn.GroupNorm(4, 8),), None),
    "instance norm": (lambda x, n: F.relu(n(x)), (lambda: nn.InstanceNorm1d(8),), None),
    "rms norm": (lambda x, n: n(_steps(x)), (lambda: nn.RMSNorm(8),), None),
    "weight norm": (lambda x, c: F.relu(c(x)), (lambda: nn.utils.parametrizations.weight_norm(conv()),), None),
    "standardized": (lambda x: (x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1e-3), (), None),
    "mean and deviation pooling": (lambda x: torch.cat([x.mean(2), x.std(2)], 1), (), None),
    "unit vectors": (lambda x: F.normalize(x, dim=1), (), None),
    "cosine to the middle": (lambda x: F.cosine_similarity(x, x[:, :, 20:21], dim=1), (), None),
    "attention": (
        lambda x, m: m(_steps(x), _steps(x), _steps(x))[0],
        (lambda: nn.MultiheadAttention(8, 2, batch_first=True),),
        None,
    ),
    "causal attention": (lambda x: F.scaled_dot_product_attention(*[_steps(x)] * 3, is_causal=True), (), None),
    "masks of -inf that are added": (_added_masks, (lambda: nn.Linear(8, 8),), None),
    "transformer with both masks": (
        lambda x, t: t(_steps(x), src_mask=_MASK, src_key_padding_mask=_PADDED.expand(len(x), -1)),
        (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),),
        None,
    ),
    "decoder with masks": (
        lambda x, t: t(_steps(x), _steps(x.flip(2)), tgt_mask=_MASK, memory_mask=_MASK.flip(0, 1)),
        (lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),),
        None,
    ),
    "places behind -inf": (_behind, (), None),
    "ranks above -inf": (_above, (), None),
    "grouped queries": (_grouped_queries, (lambda: nn.Linear(8, 8), lambda: nn.Linear(8, 4)), None),
    "by other names": (_by_other_names, (lambda: nn.Linear(8, 8),), None),
    "relative attention": (
        _relative,
        (*[lambda: nn.Linear(8, 8)] * 3, lambda: nn.Embedding(LENGTH, 1)),
        None,
    ),
    "transformer": (
        lambda x, t: t(_steps(x)).mean(1),
        (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True),),
        None,
    ),
    "attention pooling": (lambda x, s: (x * s(x).softmax(2)).sum(2), (lambda: conv(1),), None),
    "softmax gates": (lambda x, c: x * c(x).softmax(1), (conv,), None),
    "mixture of experts": (_mixture, (lambda: nn.Linear(8, 2), conv, lambda: conv(5)), None),
    "einops": (lambda x: reduce(rearrange(x, "n c (l p) -> n l p c", p=4), "n l p c -> n l c", "max"), (), None),
    "einsum of two": (lambda x: torch.einsum("ncl,ndl->ncd", x, F.relu(x)) / LENGTH, (), None),
    "bilinear pooling": (lambda x: (x @ _steps(x)).flatten(1) / LENGTH, (), None),
    "log of exponentials": (lambda x: torch.logsumexp(x, 2), (), None),
    "exponential head": (lambda x: torch.exp(x.mean(2)), (), None),
    "softplus of counts": (lambda x, c: torch.log1p(F.softplus(c(x)).sum(2)), (conv,), None),
    "top four": (lambda x: x.topk(4, 2).values.mean(2), (), None),
    "median pooling": (lambda x: x.median(2).values, (), None),
    "maximum less minimum": (lambda x: x.amax(2) - x.amin(2), (), None),
    "product of probabilities": (lambda x: 1 - (1 - 0.1 * torch.sigmoid(x)).prod(2), (), None),
    "lp pooling": (lambda x: F.lp_pool1d(x, 2, 4), (), None),
    "sign as a factor": (lambda x: torch.sign(x) * torch.sqrt(x.abs() + 0.1), (), None),
    "hard gate": (lambda x: x * torch.heaviside(x - 0.1, torch.tensor(0.0)), (), None),
    "random relu": (lambda x, r: r(x), (nn.RReLU,), None),
    "capped by where": (lambda x: torch.where(x > 1, torch.ones_like(x), x), (), None),
    "interpolated": (lambda x: F.interpolate(F.relu(x), scale_factor=2, mode="linear"), (), None),
    "unfolded": (lambda x: x.unfold(2, 6, 3).amax(3), (), None),
    "lstm": (lambda x, r: r(_steps(x))[0], (_lstm,), None),
    "two bidirectional lstms": (
        lambda x, a, b: b(a(_steps(x))[0])[0].mean(1),
        (lambda: _lstm(bidirectional=True), lambda: nn.LSTM(12, 6, batch_first=True, bidirectional=True)),
        None,
    ),
    "projected lstm": (lambda x, r: r(_steps(x))[0], (lambda: _lstm(2, proj_size=3, dropout=0.2),), None),
    "lstm with attention": (_attend_after, (lambda: _lstm(bidirectional=True), lambda: nn.Linear(12, 1)), None),
    "last states": (_last_states, (lambda: _lstm(2),), None),
    "lstm of turned steps": (lambda x, r: r(_steps(x.flip(2)))[0].flip(1), (_lstm,), None),
    "lstm, steps first": (lambda x, r: r(x.permute(2, 0, 1))[0].transpose(0, 1), (lambda: nn.LSTM(8, 6, 2),), None),
    "lstm over the batch": (lambda x, r: r(_steps(x))[0], (lambda: nn.LSTM(8, 6),), "its steps are the batch"),
    "packed lstm": (_packed, (_lstm,), "packed sequence"),
    "gru over strided features": (
        lambda x, c, r: r(_steps(F.relu(c(x))))[0][:, -1],
        (lambda: nn.Conv1d(8, 8, 4, 4), lambda: nn.GRU(8, 6, 2, batch_first=True, bidirectional=True)),
        None,
    ),
    "gru from a state of its own": (_states, (lambda: nn.GRU(8, 6, batch_first=True), lambda: nn.Linear(8, 6)), None),
    "rnn": (lambda x, r: r(_steps(x))[0], (lambda: nn.RNN(8, 6, 2, nonlinearity="relu", batch_first=True),), None),
    "loop over a cell": (_loop, (lambda: nn.LSTMCell(8, 6),), None),
    "gates written out": (_own_gates, (lambda: nn.Linear(16, 8), lambda: nn.Linear(16, 8)), None),
    "fourier": (lambda x: torch.fft.rfft(x).abs(), (), "fft_rfft"),
    "argmax": (lambda x, e: e(x.argmax(1)), (lambda: nn.Embedding(8, 3),), "aten.argmax"),
    "rounded": (lambda x: torch.round(4 * x) / 4, (), "aten.round"),
    "less the batch's mean": (lambda x: x - x.mean(0), (), "runs over the batch"),
    "softmax over the batch": (lambda x: F.softmax(x, 0), (), "runs over the batch"),
    "chosen by another": (lambda x: torch.where(x.flip(2) > 0, x, -x), (), "its condition"),
    "by its value": (lambda x: x if x.sum() > 0 else -x, (), "cannot be captured"),
}
NETWORKS = {name: words for name, (_, _, words) in BODIES.items()}


def make_network(name: str) -> nn.Module:
    """A net of ``NETWORKS`` with fixed random weights, in eval mode: (N, 4, 48) -> (N,)."""
    torch.manual_seed(3)
    body, parts, _ = BODIES[name]
    net = Body(body, *(make() for make in parts))
    with torch.no_grad():
        net.stem.weight.mul_(3)
        net(torch.zeros(2, 4, LENGTH))
        for part in net.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return net.eval()
