"""Small files of variants, and the oracle: the edit of a whole chromosome as a Python string."""

from __future__ import annotations

from zoo.genome.fasta import open_genome
from zoo.variants.alleles.allele import Record
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.reading.reading import open_variants

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def vcf_text(rows, header=(), samples=()):
    """Rows are (chrom, pos, ref, alt) with INFO, FORMAT and samples behind them where they have any."""
    columns = COLUMNS + ("\tFORMAT\t" + "\t".join(samples) if samples else "")
    lines = ["##fileformat=VCFv4.2", *header, columns]
    for chrom, pos, ref, alt, *more in rows:
        info, *rest = more or ["."]
        lines.append("\t".join(map(str, [chrom, pos, ".", ref, alt, ".", ".", info, *rest])))
    return "\n".join(lines) + "\n"


def write_vcf(path, rows, header=(), samples=()):
    path.write_text(vcf_text(rows, header, samples))
    return path


def genome_at(path, sequences):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    return open_genome(path)


def record(chrom, pos, ref, alt, info="."):
    """``pos`` counts from 1, as in the file that the record would stand in."""
    text = (chrom, str(pos), ".", ref, alt, ".", ".", info)
    end = next((int(one[4:]) for one in info.split(";") if one.startswith("END=")), None)
    return Record(0, 3, chrom, pos - 1, ".", ref, () if alt == "." else tuple(alt.split(",")), end, text)


def one_allele(genome, chrom, pos, ref, alt, info=".", **options):
    (found,) = alleles_of(record(chrom, pos, ref, alt, info), genome, **options)
    return found


def edited(sequence, start, ref, alt):
    """The chromosome with ``alt`` in the place of ``ref``, which must stand there."""
    assert sequence[start : start + len(ref)] == ref
    return sequence[:start] + alt + sequence[start + len(ref) :]


def records_of(path, **options):
    with open_variants(path, **options) as file:
        return list(file.records())
