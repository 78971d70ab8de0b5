"""A finished ``contribs.h5`` in another format, without running the model again."""

from __future__ import annotations

import time
from pathlib import Path

from interpret.attribution_options import AttributeResult
from interpret.contribs import open_contribs
from interpret.contribs_blocks import FileSource
from interpret.formats import choose_format
from zoo.errors import InputError, UsageError
from zoo.run.job import check_out
from zoo.run_record import write_run_record
from zoo.writers.partial import fresh_folder, remove, rename_all

__all__ = ["convert"]


def convert(contribs: str | Path, out: str | Path, format: str | None = None, overlap: str = "mean") -> AttributeResult:
    """Write contributions in another format.

    Args:
        contribs: a file of ``zoo attribute``, in its own format.
        out, format: see ``formats.choose_format``.
        overlap: ``mean``, ``max`` or ``error`` where windows overlap in a bigWig.

    Raises:
        ZooError: nothing bears the final name.
    """
    contribs, out, begin = Path(contribs), Path(out), time.monotonic()
    if contribs.suffix.lower() not in (".h5", ".hdf5"):
        raise UsageError(
            f"{contribs}: no regions were given for this model",
            "a contribs.h5 alone is written in another format",
            "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5",
        )
    chosen = choose_format(out, format)
    check_out(out, contribs, None)
    if chosen.record_inside:
        raise UsageError(
            f"{contribs}: is in this format already", "", "Fix: -o contribs.bw, contribs.npz, or --format chrombpnet-h5"
        )
    partial = out.with_name(f"{out.name}.partial")
    with open_contribs(contribs) as found:
        source, finals = FileSource(found), chosen.finals(out)
        if not source.rows:
            raise InputError(f"{contribs}: holds no window", "", "Fix: make it again: zoo attribute")
        fresh_folder(partial)
        try:
            parts = [partial / f"result.{i}{final.suffix}" for i, final in enumerate(finals)]
            run = found.run | {"converted_from": str(contribs.resolve())}
            chosen.write(source, parts, run, overlap)
            rename_all(list(zip(parts, finals, strict=True)))
        finally:
            remove(partial)
        write_run_record(out, run | {"files": [str(path) for path in finals]})
    return AttributeResult(out, source.rows, [], time.monotonic() - begin, finals[::-1])
