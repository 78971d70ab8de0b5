"""Unbalanced classes, rare positives, cells of unlike strength: weights of the loss, and training rows drawn again.

Nothing here touches validation or test, which keep the natural ratio: every function takes training rows alone. Random
over- and under-sampling, SMOTE (Chawla et al. 2002, doi:10.1613/jair.953) and ADASYN (He et al. 2008,
doi:10.1109/IJCNN.2008.4633969) are imbalanced-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.config import LossName, SamplingConfig
from finetune.data.train_only import TrainOnly
from zoo.errors import InputError, UsageError
from zoo.extras import needs
from zoo.words import counted, counted_of

__all__ = [
    "cell_weights",
    "check_sampling",
    "class_weights",
    "positive_weights",
    "resample_rows",
    "synthesise",
    "window_labels",
]

_SYNTHETIC = ("smote", "adasyn")
_NEIGHBOURS = 5  # imbalanced-learn's default


def check_sampling(config: SamplingConfig, loss: LossName, mode: str) -> None:
    """Refuse combinations that mean nothing, before any work.

    Args:
        loss: of the head. mode: ``head``, ``lora``, ``last-N``, ``full`` or ``scratch``.

    Raises:
        UsageError: classes are weighted or sampled under a loss without classes; synthetic samples in a mode that
            trains on sequences.
    """
    if config.resample != "none" and loss not in ("bce", "ce"):
        _refuse_loss(f"sampling.resample: {config.resample}", "windows have no classes", loss, "bce or ce")
    if config.class_weights != "none" and loss != "ce":
        _refuse_loss("sampling.class_weights", "there are no classes", loss, "ce")
    if config.positive_weight != "none" and loss != "bce":
        _refuse_loss("sampling.positive_weight", "there are no positives", loss, "bce")
    if config.resample in _SYNTHETIC and mode != "head":
        raise UsageError(
            f"`sampling.resample: {config.resample}` with `mode: {mode}`: it mixes examples, and a mix of two "
            "sequences is no sequence",
            "",
            "Fix: `mode: head`, which trains on embeddings, or `sampling.resample: over`",
        )


def _refuse_loss(key: str, why: str, loss: str, fitting: str) -> None:
    raise UsageError(
        f"`{key}` with the loss {loss}: {why}", "", f"Fix: `train.loss: {fitting.split()[0]}`, or remove `{key}`"
    )


def window_labels(targets: np.ndarray, loss: LossName) -> np.ndarray:
    """One class a window, (k,) int64, to sample by.

    Args:
        targets: (k, tracks, bins) of training windows; NaN where nothing was measured.
        loss: ``ce``: the track with the highest sum; ``bce``: 1 where a track is positive in a bin, else 0.
    """
    if loss == "ce":
        return np.nansum(targets, axis=2).argmax(axis=1)
    return (np.nan_to_num(targets, nan=0.0) > 0.5).any(axis=(1, 2)).astype(np.int64)


def class_weights(setting: str | Sequence[float], labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Weight of each class, (n_classes,) float32.

    Args:
        setting: ``none``, ``balanced`` (n / (classes * windows of the class), scikit-learn's), or a weight a class.
        labels: (k,) classes of training windows.

    Raises:
        UsageError: another number of weights than classes.
        InputError: ``balanced`` and a class that no training window has.
    """
    if isinstance(setting, str):
        if setting == "none":
            return np.ones(n_classes, dtype=np.float32)
        counts = np.bincount(labels, minlength=n_classes)
        if (counts == 0).any():
            raise InputError(
                f"class {int(np.argmin(counts))} has no training window, so that `sampling.class_weights: balanced` "
                "cannot weigh it",
                f"{counted_of(int((counts == 0).sum()), n_classes, 'class', 'have')} none",
                "Fix: choose training chromosomes that have some, or give a weight a class",
            )
        return (len(labels) / (n_classes * counts)).astype(np.float32)
    if len(setting) != n_classes:
        raise UsageError(
            f"`sampling.class_weights` has {len(setting)} weights for {n_classes} classes",
            "",
            "Fix: one weight for each target, in their order",
        )
    return np.asarray(setting, dtype=np.float32)


def positive_weights(setting: str | float, data: TrainOnly) -> np.ndarray:
    """Weight of positives for each training track, in the order of ``data.cells``: (tracks,) float32.

    Args:
        setting: ``none``, ``balanced`` (negatives / positives), or the weight.
        data: 0, 1 or NaN in training windows.

    Raises:
        InputError: ``balanced`` and a track without a positive or a negative.
    """
    if not isinstance(setting, str):
        return np.full(len(data.cells), setting, dtype=np.float32)
    if setting == "none":
        return np.ones(len(data.cells), dtype=np.float32)
    positive, negative = np.zeros(len(data.cells)), np.zeros(len(data.cells))
    for _, values in data.blocks():
        positive += (values > 0.5).sum(axis=(1, 2))
        negative += (values <= 0.5).sum(axis=(1, 2))
    empty = (positive == 0) | (negative == 0)
    if empty.any():
        at = int(np.argmax(empty))
        raise InputError(
            f"track {int(data.cells[at])} has no {'positive' if positive[at] == 0 else 'negative'} bin in training "
            "windows, so that `sampling.positive_weight: balanced` cannot weigh it",
            counted_of(int(empty.sum()), len(empty), "track"),
            "Fix: check its file, choose other training chromosomes, or give the weight as a number",
        )
    return (negative / positive).astype(np.float32)


def cell_weights(data: TrainOnly) -> np.ndarray:
    """1 / variance over training windows, of mean 1: no strong track drowns the rest.

    Returns:
        (cells,) float32 in the order of ``data.cells``.

    Raises:
        InputError: a track is constant, or was not measured, in training windows.
    """
    n, mean, square = (np.zeros(len(data.cells)) for _ in range(3))
    for _, values in data.blocks():  # Chan et al. 1983, doi:10.1080/00031305.1983.10483115: no difference of squares
        values = values.reshape(len(values), -1).astype(np.float64)
        measured = ~np.isnan(values)
        k = measured.sum(axis=1)
        block_mean = np.where(measured, values, 0).sum(axis=1) / np.maximum(k, 1)
        block = np.where(measured, values - block_mean[:, None], 0)
        both = np.maximum(n + k, 1)
        square += (block**2).sum(axis=1) + (block_mean - mean) ** 2 * n * k / both
        mean += (block_mean - mean) * k / both
        n += k
    variance = square / np.maximum(n, 1)
    flat = ~(variance > 0)
    if flat.any():
        raise InputError(
            f"track {int(data.cells[np.argmax(flat)])} is constant in training windows, so that "
            "`sampling.cell_weights: equal` cannot weigh it",
            counted_of(int(flat.sum()), len(flat), "track"),
            "Fix: check its file, or choose other training chromosomes",
        )
    weights = 1 / variance
    return (weights / weights.mean()).astype(np.float32)


def resample_rows(how: str, rows: np.ndarray, labels: np.ndarray, split: np.ndarray, seed: int) -> np.ndarray:
    """Training rows, drawn so that all classes have as many: (m,) int64, rising.

    Args:
        how: ``none``, ``over`` (rows of rare classes again) or ``under`` (fewer of common ones).
        rows: (k,) numbers of training windows. labels: (k,) their classes.
        split: (n,) sides of all windows, to hold this to training.

    Raises:
        UsageError: a row is not of the training side, or there is one class.
    """
    _only_training(rows, split)
    if how == "none":
        return np.asarray(rows, dtype=np.int64)
    _several_classes(labels, how)
    with needs("imblearn", "sampling"):
        from imblearn.over_sampling import RandomOverSampler
        from imblearn.under_sampling import RandomUnderSampler
    sampler = {"over": RandomOverSampler, "under": RandomUnderSampler}[how](random_state=seed)
    drawn, _ = sampler.fit_resample(np.asarray(rows, dtype=np.int64)[:, None], labels)
    return np.sort(drawn[:, 0])


def _only_training(rows: np.ndarray, split: np.ndarray) -> None:
    other = np.flatnonzero(split[rows] != "train")
    if len(other):
        row = int(rows[other[0]])
        raise UsageError(
            f"window {row} is of the side {str(split[row])!r}: only training windows are drawn again",
            counted_of(len(other), len(rows), "window"),
            'Fix: pass the rows where the split is "train"',
        )


def _several_classes(labels: np.ndarray, how: str) -> None:
    if len(np.unique(labels)) < 2:
        raise UsageError(
            f"`sampling.resample: {how}`: all training windows are of one class",
            counted(len(labels), "window"),
            "Fix: `sampling.resample: none`, or `regions.choose: peaks` with `regions.negatives`",
        )


def synthesise(how: str, embeddings: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training examples of rare classes between those that there are.

    Args:
        how: ``smote`` or ``adasyn``.
        embeddings: (k, channels, positions) or (k, features) of training windows. labels: (k,) their classes.

    Returns:
        (m, ...) embeddings, the given ones first, and (m,) labels.

    Raises:
        UsageError: one-hot sequences; one class, or fewer than six windows in one; no room for new ones.
    """
    if how not in _SYNTHETIC:
        raise ValueError(f"{how!r} makes no examples")
    _refuse_one_hot(embeddings, how)
    _several_classes(labels, how)
    found, counts = np.unique(labels, return_counts=True)
    if counts.min() <= _NEIGHBOURS:
        raise UsageError(
            f"`sampling.resample: {how}` needs at least {_NEIGHBOURS + 1} training windows of each class; "
            f"class {found[np.argmin(counts)]} has {counts.min()}",
            "",
            "Fix: `sampling.resample: over`",
        )
    flat = np.asarray(embeddings, dtype=np.float32).reshape(len(embeddings), -1)
    try:
        made, of = _sampler(how, seed).fit_resample(flat, labels)
    except (ValueError, RuntimeError) as error:  # ADASYN: no neighbour of another class, or balanced already
        raise UsageError(
            f"`sampling.resample: {how}` made no example: {str(error).splitlines()[0]}",
            "",
            "Fix: `sampling.resample: smote` or `over`",
        ) from None
    return made.reshape(-1, *embeddings.shape[1:]), of


def _sampler(how: str, seed: int) -> Any:
    with needs("imblearn", "sampling"):
        from imblearn.over_sampling import ADASYN, SMOTE
    return (SMOTE if how == "smote" else ADASYN)(random_state=seed)


def _refuse_one_hot(array: np.ndarray, how: str) -> None:
    if array.ndim != 3 or array.shape[1] != 4:
        return
    sample = np.asarray(array[:64])
    if np.isin(sample, (0, 0.25, 1)).all():
        raise UsageError(
            f"`sampling.resample: {how}` on one-hot sequences: a point between two sequences is no sequence",
            f"{counted(len(array), 'sequence')} of {array.shape[2]:,} bp were given",
            "Fix: give embeddings (`mode: head`), or `sampling.resample: over`",
        )
