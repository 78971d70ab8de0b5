"""Batches as the trainer takes them: an epoch's own, shared out to processes, read ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace

import torch

from finetune.data.batches import Batch
from zoo.errors import InputError

__all__ = ["Carried", "Feed", "moved", "read_ahead"]


@dataclass(eq=False)
class _Failure:
    error: BaseException


class Carried:
    """A batch that the trainer hands on without looking inside: it takes no frozen dataclass apart."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class Feed:
    """An iterable that gives the batches of the epoch that ``epoch()`` says.

    Args:
        batches: of an epoch. epoch: which one. ahead: batches that are read ahead; 0 is none.
        share: this process' number and how many there are; each takes every so-manieth batch, and all as many.
        what: ``train`` or ``validation``, for the error.
    """

    def __init__(
        self,
        batches: Callable[[int], Iterable[Batch]],
        epoch: Callable[[], int],
        ahead: int = 0,
        share: Callable[[], tuple[int, int]] = lambda: (0, 1),
        what: str = "train",
    ) -> None:
        self._batches, self._epoch, self._ahead, self._share, self._what = batches, epoch, ahead, share, what

    def __iter__(self) -> Iterator[Carried]:
        """Raises InputError where an epoch has no batch."""
        rank, world = self._share()
        source = self._batches(self._epoch())
        given = 0
        for batch in _shared(read_ahead(source, self._ahead), rank, world):
            given += 1
            yield Carried(batch)
        if not given:
            raise InputError(
                f"split: {self._what} has no batch in epoch {self._epoch() + 1}",
                f"{world} processes share them" if world > 1 else "",
                f"Fix: more windows in split.{self._what} or regions.choose, or a smaller train.batch",
            )


def _shared(batches: Iterable[Batch], rank: int, world: int) -> Iterator[Batch]:
    """Every ``world``-th batch; a last round that is not whole is left out, so that no process waits for another."""
    mine = None
    for i, batch in enumerate(batches):
        if i % world == rank:
            mine = batch
        if i % world == world - 1:
            assert mine is not None
            yield mine


def read_ahead(source: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same batches in the same order; a thread has up to ``size`` of them ready. Its errors are raised here."""
    if size == 0:
        yield from source
        return
    ready: queue.Queue = queue.Queue(maxsize=size)
    stopped = threading.Event()
    end = object()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in source:
                if not put(batch):
                    return
            put(end)
        except BaseException as error:  # handed to who reads
            put(_Failure(error))

    thread = threading.Thread(target=work, name="zoo-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not end:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join()


def moved(batch: Batch, device: torch.device, dtype: torch.dtype | None = None) -> Batch:
    """The batch on a device; its floating point numbers as ``dtype`` where one is given."""
    changed = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, torch.Tensor):
            cast = dtype if value.is_floating_point() else None
            if value.device != device or (cast is not None and value.dtype != cast):
                changed[field.name] = value.to(device=device, dtype=cast, non_blocking=True)
    return replace(batch, **changed) if changed else batch
