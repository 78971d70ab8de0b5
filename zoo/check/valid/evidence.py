"""What a card claims is backed: genome, split, metrics beside a baseline, where a model came from."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.check.draft import Draft
from zoo.check.findings import Finding
from zoo.errors import ZooError
from zoo.store.registry import find_entry

__all__ = ["check_evidence"]


def check_evidence(draft: Draft) -> Iterator[Finding]:
    """Of weights that are the contributor's own all of this is asked; of published ones, what their authors said."""
    if draft.card is None:
        return
    strict = "error" if draft.has_own_weights else "warning"
    if draft.card.genome is None:
        what = "the genome is not stated: assembly and chromosome style"
        fix = "add `genome: {assembly: hg38, chrom_style: ucsc}`, that of the training data"
        yield draft.finding("genome", what, fix, draft.at("genome"), severity=strict)
    if not draft.card.training.data:
        what = "no training data are named"
        fix = "name each data set in training.data, with accession and licence"
        yield draft.finding("licence", what, fix, draft.at("training", "data"), severity=strict)
    yield from _splits(draft, strict)
    yield from _metrics(draft, strict)
    yield from _base_model(draft)


def _splits(draft: Draft, strict: str) -> Iterator[Finding]:
    splits = draft.card.training.splits
    if splits is None:
        what = "the split is not stated: which chromosomes trained, validated and tested the model"
        yield draft.finding("split", what, "add training.splits", draft.at("training"), severity=strict)
        return
    parts = {name: getattr(splits, name) for name in ("train", "validation", "test")}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        if isinstance(parts[one], str) or isinstance(parts[other], str):
            # A file of regions; sentences on how items were drawn may be alike.
            shared = [parts[one]] if parts[one] == parts[other] and " " not in parts[one] else []
        else:
            shared = sorted(set(parts[one]) & set(parts[other]))
        if shared:
            severity = "error" if "train" in (one, other) else "warning"
            what = f"{one} and {other} overlap: {', '.join(shared[:5])}"
            fix = "a chromosome belongs to one part; measure again on what was not trained on"
            at = draft.at("training", "splits", other)
            yield draft.finding("split", what, fix, at, severity=severity)


def _metrics(draft: Draft, strict: str) -> Iterator[Finding]:
    names = [output.name for output in draft.card.outputs]
    if not draft.card.evaluation:
        what = "no metric is stated"
        fix = "add `evaluation`: a metric on held-out data beside a baseline, with its command"
        yield draft.finding("metric", what, fix, draft.at("evaluation"), severity=strict)
    for i, one in enumerate(draft.card.evaluation):
        at = draft.at("evaluation", i)
        if one.baseline is None and not one.reported_by:
            what = f"{one.metric} stands beside no baseline"
            fix = "add what a simpler predictor reaches on the same items, or `reported_by` for a paper's number"
            yield draft.finding("baseline", what, fix, at)
        if not one.command and not one.reported_by:
            what = f"{one.metric} names neither the `command` that made it nor who reported it"
            yield draft.finding("metric", what, "add `command` or `reported_by`", at)
        if one.command and one.n is None:
            yield draft.finding("metric", f"{one.metric} does not say of how many items", "add `n`", at)
        if one.ci is not None and not one.ci[0] <= one.value <= one.ci[1]:
            what = f"{one.metric} is {one.value:g}, outside its interval {one.ci[0]:g} to {one.ci[1]:g}"
            yield draft.finding("metric", what, "correct value or ci", at)
        if not one.split.strip():
            yield draft.finding("split", f"{one.metric} does not say on which split", "add `split: test`", at)
        if one.output not in names and not one.reported_by:
            what = f"{one.metric} is of output {one.output!r}, and the outputs are {', '.join(names)}"
            yield draft.finding("metric", what, "name an output of the card", at)


def _base_model(draft: Draft) -> Iterator[Finding]:
    base = draft.card.training.base_model
    if not base or base.startswith(("hf://", "https://", "http://")):
        return
    try:
        find_entry(base)
    except ZooError as error:
        if "/" in base and not base.startswith(draft.name) and "@" not in base and "." not in base:
            severity = "warning"  # a repository elsewhere, by owner and name
        else:
            severity = "error"
        what = f"the base model {base!r} is not known: {error.what}"
        fix = "name an entry (`zoo list`), hf://OWNER/REPOSITORY or a URL"
        yield draft.finding("base", what, fix, draft.at("training", "base_model"), severity=severity)
