"""BCF: the VCF, in htslib's binary form, with its index."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from zoo.errors import InputError
from zoo.results.whole import refuse_full, remove, rename_all
from zoo.variants.writers.table import VariantContext
from zoo.variants.writers.vcf import VcfWriter
from zoo.writers.text import BgzfFile

__all__ = ["BcfWriter"]


class BcfWriter(VcfWriter):
    """Written as text first, which can be cut back to a checkpoint, and turned into BCF at the end."""

    def __init__(self, context: VariantContext) -> None:
        super().__init__(context, compressed=True)
        self.finals = [context.out, self._index(".csi")]
        self._binary = self.partial.with_name(f"{self.partial.name}.bcf")

    def finish(self) -> list[Path]:
        self._file.finish()
        self._convert()
        made = None
        if self._order.is_sorted:
            from pysam import SamtoolsError, bcftools

            index = self._binary.with_name(f"{self._binary.name}.csi")
            try:
                bcftools.index("--force", "--csi", "-o", str(index), str(self._binary), catch_stdout=False)
            except SamtoolsError:
                _spoilt(self._binary, index)
                raise
            made = (index, self._index(".csi"))
        else:
            remove(self._index(".csi"))
            self.notes.append(
                f"{self.context.out.name} has no index: its records are not sorted by place (bcftools sort)"
            )
        paths = rename_all([(self._binary, self.context.out), *([made] if made else [])])
        remove(self.partial)
        return paths

    def discard(self) -> None:
        super().discard()
        remove(self._binary)
        remove(self.partial.with_name(f"{self.partial.name}.declared"))
        remove(self._binary.with_name(f"{self._binary.name}.csi"))

    def _convert(self) -> None:
        """Text to binary, by bcftools: what pysam writes gets an END where an ALT is symbolic.

        Raises:
            InputError: htslib cannot read a record. OSError: the disk is full.
        """
        import pysam
        from pysam import bcftools

        before = pysam.set_verbosity(0)
        try:
            self._declare()
            bcftools.view("--no-version", "-Ob", "-o", str(self._binary), str(self.partial), catch_stdout=False)
        except (ValueError, pysam.SamtoolsError) as error:
            _spoilt(self._binary)
            raise InputError(
                f"{self.context.out}: a record cannot be written as BCF",
                " ".join(str(error).split()),
                "Fix: -o with .vcf.gz, which gives records back as they are",
            ) from error
        finally:
            pysam.set_verbosity(before)

    def _declare(self) -> None:
        """Declare what records have and the header does not, since BCF needs it: htslib meets it as it reads."""
        import pysam

        with pysam.VariantFile(str(self.partial)) as text:
            declared = len(text.header.records)
            for _ in text:
                pass
            header = str(text.header) if len(text.header.records) > declared else None
        if header is None:
            return
        whole = self.partial.with_name(f"{self.partial.name}.declared")
        file = BgzfFile(whole)
        file.write(header.encode("utf-8", "surrogateescape"))
        with gzip.open(self.partial) as rows:
            for line in rows:
                if not line.startswith(b"#"):
                    file.write(line)
        file.finish()
        os.replace(whole, self.partial)


def _spoilt(*paths: Path) -> None:
    """Remove what htslib could not write, so that the text that a run may go on from has the room.

    Raises:
        OSError: the disk is full.
    """
    try:
        refuse_full(paths[-1])
    finally:
        for path in paths:
            remove(path)
