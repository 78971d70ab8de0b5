"""Why an allele has no score: what is written in its place, and what that means."""

from __future__ import annotations

__all__ = ["STATUSES"]

#: Key, as it is written to files -> a sentence for people.
STATUSES: dict[str, str] = {
    "missing": "ALT is '.': the record has no other allele",
    "overlapping_deletion": "ALT is '*': the base is deleted by another record",
    "no_sequence": "ALT stands for no sequence (<NON_REF>, <*>, <INS>, <CNV> and the like)",
    "breakend": "ALT is a breakend, which joins two places of the genome",
    "no_end": "a symbolic ALT without an END or SVLEN behind POS and inside of the chromosome",
    "unknown_letters": "an allele, or the genome where REF stands, has N or another letter than A, C, G and T",
    "same": "ALT is equal to REF: nothing changes",
    "too_long": "more bases change than --max-length allows",
    "ref_mismatch": "REF is not what the genome has there",
    "beyond_window": "the change, or what must stand beside it, does not fit the window",
    "no_gene": "the variant lies in none of the genes of --genes, or in no exon of theirs near it",
    "past_the_edge": "a window leaves its chromosome, and --edges is skip",
    "bins_not_placed": "where the model's bins lie in the window is not known, so that an indel cannot be aligned",
    "unphased": "the sample has the ALT on one of its copies and the file does not say which (--haplotypes)",
    "overlapping_variants": "two variants of one copy change the same bases: one of them is wrong (--haplotypes)",
    "unknown_neighbour": "another variant of the copy in the window has no sequence that is known (--haplotypes)",
}
