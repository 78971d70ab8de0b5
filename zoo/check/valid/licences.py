"""Licences of weights and data: SPDX, so that a machine can tell what may be shared."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.check.draft import Draft
from zoo.check.findings import Finding

__all__ = ["check_licences", "spdx_problem"]

OWN = "LicenseRef-NAME for terms that have no SPDX identifier"


def spdx_problem(text: str) -> str | None:
    """Why a text is no SPDX licence expression, or None where it is one."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        return str(error)
    return None


def check_licences(draft: Draft) -> Iterator[Finding]:
    """``info.license`` of model.yaml is SPDX; ``licence`` of data begins with SPDX, and prose may follow ``;``."""
    if draft.model is not None:
        info = draft.model.data.get("info")
        value = info.get("license") if isinstance(info, dict) else None
        fix = f"write an SPDX identifier such as MIT or CC-BY-4.0, or {OWN}"
        if not value:
            yield draft.finding("licence", "model.yaml states no licence of the weights", fix, (draft.model, ("info",)))
        elif problem := spdx_problem(str(value)):
            what = f"the licence of the weights is not SPDX: {problem}"
            yield draft.finding("licence", what, fix, (draft.model, ("info", "license")))
    for i, one in enumerate(draft.card.training.data if draft.card else ()):
        problem = spdx_problem(one.licence.partition(";")[0].strip())
        if problem:
            yield draft.finding(
                "licence",
                f"the licence of the data {one.name[:60]!r} is not SPDX: {problem}",
                f"begin with an SPDX identifier, or {OWN}; prose may follow after a semicolon",
                draft.at("training", "data", i, "licence"),
            )
