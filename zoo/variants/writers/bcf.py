"""BCF: the VCF, in htslib's binary form, with its index."""

from __future__ import annotations

import contextlib
from pathlib import Path

from zoo.errors import InputError
from zoo.results import remove, rename_all
from zoo.variants.writers.table import VariantContext
from zoo.variants.writers.vcf import VcfWriter

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
            import pysam

            index = self._binary.with_name(f"{self._binary.name}.csi")
            pysam.bcftools.index("--force", "--csi", "-o", str(index), str(self._binary), catch_stdout=False)
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
        remove(self._binary.with_name(f"{self._binary.name}.csi"))

    def _convert(self) -> None:
        """Text to binary; what the header does not declare is met in a first reading, since BCF needs it declared.

        Raises:
            InputError: htslib cannot read a record.
        """
        import pysam

        before = pysam.set_verbosity(0)
        try:
            with pysam.VariantFile(str(self.partial)) as whole:
                for _ in whole:
                    pass
                header = whole.header
                with (
                    pysam.VariantFile(str(self.partial)) as text,
                    contextlib.closing(pysam.VariantFile(str(self._binary), "wb", header=header)) as binary,
                ):
                    for record in text:
                        record.translate(header)
                        binary.write(record)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise InputError(
                f"{self.context.out}: a record cannot be written as BCF: {error}",
                "htslib does not read it",
                "Fix: -o with .vcf.gz, which gives records back as they are",
            ) from error
        finally:
            pysam.set_verbosity(before)
