"""Linear models of scikit-learn, alone or behind a StandardScaler: their arrays as weight and bias of one layer.

A pickle holds an estimator's numbers, and for a linear model these are all there is to it. Other estimators (trees,
nearest neighbours, kernels) keep their numbers in objects whose meaning is code: they are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.convert.inert_pickle import InertUnpickler, Record, array_of, kind_of, refuse

__all__ = ["LinearModel", "linear_model", "read_pickle"]

REGRESSORS = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "BayesianRidge",
    "ARDRegression",
    "SGDRegressor",
    "TheilSenRegressor",
    "Lars",
    "LassoLars",
    "LinearSVR",
)
CLASSIFIERS = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "SGDClassifier",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "LinearSVC",
)
COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7", b"x\x9c", b"x\x01", b"x\xda", b"x^", b'\x04"', b"ZF")


@dataclass(frozen=True)
class LinearModel:
    """``x @ weight.T + bias``.

    Attributes:
        kinds: the estimators, first to last.
        weight: (outputs, features) float64, scaling folded in.
        bias: (outputs,) float64.
        method: the method of the estimator that this is.
    """

    kinds: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    method: str


def read_pickle(path: Path) -> Record:
    """The records of a pickle or of an uncompressed file of joblib.

    Raises:
        ModelError: compressed. ValueError, EOFError, pickle.UnpicklingError and others: damaged.
    """
    with path.open("rb") as handle:
        if handle.read(2) in COMPRESSED:
            raise refuse(f"{path}: is compressed, which is not read here", "decompress it, then convert it")
        handle.seek(0)
        return InertUnpickler(handle).load()


def linear_model(content: Any, name: str) -> LinearModel:
    """The linear model that a pickle holds.

    Raises:
        ModelError: another kind of estimator, by its name, or one that was never fitted.
    """
    steps = _steps(content)
    *scalers, last = steps
    short = kind_of(last).rpartition(".")[2]
    others = [kind_of(one) for one in scalers if kind_of(one).rpartition(".")[2] != "StandardScaler"]
    known = kind_of(last).startswith("sklearn.") and short in REGRESSORS + CLASSIFIERS
    if others or not known:
        what = others[0] if others else kind_of(last)
        raise refuse(
            f"{name}: holds {what}, which is no linear model",
            "linear models (and a StandardScaler before them) can be converted; nothing of the file was run",
        )
    weight, bias = _number(last, "coef_", name), _number(last, "intercept_", name)
    weight = weight.reshape(-1, weight.shape[-1])
    bias = np.broadcast_to(bias.reshape(-1), weight.shape[:1]).copy()
    for scaler in reversed(scalers):
        mean, scale = _scaling(scaler, name)
        weight = weight / scale
        bias = bias - weight @ np.broadcast_to(mean, weight.shape[1:])
    method = "decision_function" if short in CLASSIFIERS else "predict"
    return LinearModel(tuple(kind_of(one) for one in steps), weight, bias, method)


def _steps(content: Any) -> list[Any]:
    if kind_of(content) != "sklearn.pipeline.Pipeline":
        return [content]
    return [step for _, one in content.attributes()["steps"] for step in _steps(one)]


def _scaling(scaler: Record, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale; 0 and 1 where the scaler was told to leave them."""
    about = scaler.attributes()
    scale = "scale_" if "scale_" in about else "std_"  # before scikit-learn 0.17
    return (
        _number(scaler, "mean_", name) if about.get("with_mean", True) else np.zeros(1),
        _number(scaler, scale, name) if about.get("with_std", True) else np.ones(1),
    )


def _number(estimator: Record, attribute: str, name: str) -> np.ndarray:
    array = array_of(estimator.attributes().get(attribute))
    if array is None:
        raise refuse(f"{name}: {kind_of(estimator)} has no {attribute}", "it was not fitted, or is of another version")
    return array.astype(np.float64)
