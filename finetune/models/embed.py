"""Embeddings of all windows, computed once and kept: what ``mode: head`` trains on.

They lie in one file, float16, (windows, strands, channels, positions), under a hash of base and windows. An unfinished
file is gone on with where it ended; a finished one is only opened.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from finetune.models.freeze import weights_hash
from finetune.models.parts import Base
from zoo.errors import ModelError, SystemStateError
from zoo.files import hold_lock
from zoo.genome.encode import one_hot
from zoo.models.loaded import auto_batch_size, full_float32
from zoo.progress import human_bytes
from zoo.results.whole import allocate, require_room
from zoo.words import counted

__all__ = ["bytes_of", "embed", "embeddings_path", "embeddings_shape"]

#: Windows -> what the base sees: letters (n, L) uint8, or one-hot (n, 4, L) float32, channels A C G T.
Windows = Callable[[slice], np.ndarray]


def embeddings_shape(base: Base, n: int, both_strands: bool = True) -> tuple[int, int, int, int]:
    """(windows, strands, channels, positions)."""
    return n, 2 if both_strands else 1, base.channels, base.positions


def bytes_of(base: Base, n: int, both_strands: bool = True) -> int:
    """Bytes of the embeddings of ``n`` windows: 2 a number; Enformer has 5.5 MB a window and strand."""
    return 2 * int(np.prod(embeddings_shape(base, n, both_strands), dtype=np.int64))


def embeddings_path(base: Base, key: str, n: int, folder: Path, both_strands: bool = True) -> Path:
    """Where they lie: the name holds a hash of base, windows and shape.

    Args:
        key: hash of the windows: genome, places, order.
    """
    weights = sorted(base.hashes.items()) or weights_hash(base.trunk)
    facts = [base.name, weights, base.length, embeddings_shape(base, n, both_strands), key]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return folder / f"embeddings-{digest}.f16"


def embed(
    base: Base,
    windows: Windows,
    n: int,
    folder: Path,
    *,
    key: str,
    both_strands: bool = True,
    batch_size: int | None = None,
    device: str = "cpu",
    report: Callable[[str], None] | None = None,
    advance: Callable[[int], None] | None = None,
) -> np.memmap:
    """Compute the embeddings that are not there yet, and open them.

    Args:
        windows: gives those of a slice; called in order, each once.
        n: number of windows. key: as in ``embeddings_path``.
        report: told the size before anything is computed. advance: told how many windows are done.

    Returns:
        Read-only (n, strands, channels, positions) float16. The second strand is that of the reverse complement, in
        its own orientation: position 0 is the one with the highest coordinate.

    Raises:
        SystemStateError: no room on the disk. ModelError: an embedding that is not finite, or beyond float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = embeddings_path(base, key, n, folder, both_strands)
    shape = embeddings_shape(base, n, both_strands)
    size = bytes_of(base, n, both_strands)
    one = human_bytes(size // max(1, n * shape[1]))
    if report is not None:
        known = "; they are there already" if path.is_file() else ""
        report(f"embeddings: {counted(n, 'window')} x {shape[1]} strands x {one} = {human_bytes(size)}{known}")
    batch = batch_size or auto_batch_size(base.length, torch.device(device))
    with hold_lock(path.with_name(f"{path.name}.lock"), _waits_for(path, report)):
        if not path.is_file():  # another run may have made it meanwhile
            _compute(base, windows, path, shape, batch, device, advance)
    return np.memmap(path, np.float16, "r", shape=shape) if size else np.zeros(shape, np.float16)  # type: ignore[return-value]


def _waits_for(path: Path, report: Callable[[str], None] | None) -> Callable[[str], None]:
    def waiting(holder: str) -> None:
        if report is not None:
            report(f"{holder} computes the same embeddings ({path}): waiting")

    return waiting


def _compute(
    base: Base,
    windows: Windows,
    path: Path,
    shape: tuple[int, int, int, int],
    batch_size: int,
    device: str,
    advance: Callable[[int], None] | None,
) -> None:
    partial, journal = path.with_name(f"{path.name}.partial"), path.with_name(f"{path.name}.done")
    done = _done(partial, journal, shape)
    size = 2 * int(np.prod(shape, dtype=np.int64))
    if not done:
        _make_room(partial, size)
    base.trunk.to(device).eval()
    row = 2 * int(np.prod(shape[1:], dtype=np.int64))
    with partial.open("r+b" if size else "wb") as file:
        file.seek(done * row)
        for start in range(done, shape[0], batch_size):
            rows = slice(start, min(start + batch_size, shape[0]))
            file.write(_embedded(base, windows(rows), shape, device, start).tobytes())
            file.flush()
            journal.write_text(str(rows.stop), encoding="utf-8")
            if advance is not None:
                advance(rows.stop - rows.start)
        os.fsync(file.fileno())
    partial.replace(path)
    journal.unlink(missing_ok=True)


def _done(partial: Path, journal: Path, shape: tuple[int, ...]) -> int:
    """Windows that an earlier run finished."""
    try:
        found = int(journal.read_text(encoding="utf-8"))
        whole = partial.stat().st_size == 2 * int(np.prod(shape, dtype=np.int64))
    except (OSError, ValueError):
        return 0
    return found if whole and 0 <= found <= shape[0] else 0


def _make_room(partial: Path, size: int) -> None:
    try:
        require_room(partial.parent, size)
        allocate(partial, size)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SystemStateError(
            f"{partial.parent}: no room for the embeddings: {error.strerror or error}",
            f"they take {human_bytes(size)}",
            "Fix: fewer windows (`regions.most`), an output folder on another disk (-o), or `mode: lora`",
        ) from None


def _embedded(base: Base, batch: np.ndarray, shape: tuple[int, ...], device: str, first: int) -> np.ndarray:
    """(n, strands, channels, positions) float16 of one batch."""
    hot = one_hot(batch, base.n_value) if batch.ndim == 2 else np.asarray(batch, np.float32)
    x = torch.from_numpy(np.ascontiguousarray(hot)).to(device)
    out = np.empty((len(x), *shape[1:]), np.float16)
    with torch.inference_mode(), full_float32():
        for strand in range(shape[1]):
            value = base.trunk(x.flip(1, 2) if strand else x).to(torch.float16)
            if not bool(torch.isfinite(value).all()):
                raise ModelError(
                    f"{base.name}: an embedding is not finite in float16, within windows {first:,} to "
                    f"{first + len(x) - 1:,}",
                    "float16 ends at 65,504",
                    "Fix: `mode: lora`, which caches nothing",
                )
            out[:, strand] = value.cpu().numpy()
    return out
