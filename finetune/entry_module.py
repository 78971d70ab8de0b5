"""A fine-tuned model as the module of an entry: the trunk of a base that lies in the entry's folder, and new heads.

``zoo finetune`` copies this file into the entries that it drafts. It needs seqzoo with its extra ``finetune``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn


class FinetunedEntry(nn.Module):
    """(N, 4, L) one-hot to one tensor a head: (N, tracks, bins), or (N, tracks) where the base gives one number.

    Args:
        base: folder or file of the base, beside this file; or a name such as ``enformer:random``.
        length: bp of the input.
        heads: name -> ``tracks``, ``pool`` (positions a bin), ``activation``.
        scalar: whether bins are left out.
        cells: of baked cells, ``number`` and ``adapter`` (arguments of ``CellAdapter``); tracks are then one cell's
            after the other's.
    """

    zoo_explain: ClassVar = {"logits": "logits"}  # `zoo attribute` explains what this method gives

    def __init__(
        self,
        base: str,
        length: int,
        heads: dict[str, dict[str, Any]],
        scalar: bool = False,
        cells: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        from finetune.models.base import open_base

        here = Path(__file__).resolve().parent / base
        opened = open_base(str(here) if here.exists() else base, trust=True, length=length)
        self.trunk, self.scalar, self.settings = opened.trunk, scalar, heads
        self.heads = nn.ModuleDict(
            {name: nn.Conv1d(opened.channels, setting["tracks"], 1) for name, setting in heads.items()}
        )

        self.adapter = None
        if cells is not None:
            from finetune.models.atac import CellAdapter

            self.adapter = CellAdapter(**cells["adapter"])
            self.register_buffer("summaries", torch.zeros(cells["number"], cells["adapter"]["summary"]))

    def logits(self, x: torch.Tensor) -> Any:
        """What enters the last activation."""
        found = self.trunk(x)
        values = {name: self._head(name, found) for name in self.heads}
        return values if len(values) > 1 else next(iter(values.values()))

    def forward(self, x: torch.Tensor) -> Any:
        values = self.logits(x)
        if isinstance(values, dict):
            return {name: self._activated(name, value) for name, value in values.items()}
        return self._activated(next(iter(self.heads)), values)

    def _head(self, name: str, found: torch.Tensor) -> torch.Tensor:
        pool = self.settings[name]["pool"]
        pooled = nn.functional.avg_pool1d(found, pool) if pool > 1 else found
        value = self.heads[name](pooled)
        if self.adapter is not None:
            average = pooled.new_zeros(len(pooled), 1, pooled.shape[2])
            told = [summary.expand(len(pooled), -1) for summary in self.summaries]
            value = torch.cat([value + self.adapter(pooled, average, summary) for summary in told], dim=1)
        return value.squeeze(2) if self.scalar else value

    def _activated(self, name: str, value: torch.Tensor) -> torch.Tensor:
        from finetune.models.cut import activate

        return activate(value, self.settings[name]["activation"])
