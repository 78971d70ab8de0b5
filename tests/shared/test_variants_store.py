"""A store of scores of a published model: by parts it gives the bytes of a whole run."""

from __future__ import annotations

import random

import pytest

from zoo.variants.score_variants import score_variants


@pytest.mark.shared
def test_bpnet_by_parts_gives_the_bytes_of_a_whole_run(shared_data, tmp_path):
    genome = shared_data / "d02_chr22_slc5a1/hg38_chr22_32000000_32300000.fa"
    name, *lines = genome.read_text().split()
    letters, rows = "".join(lines), []
    rng = random.Random(5)
    for at in sorted(rng.sample(range(5000, 290_000), 24)):
        ref = letters[at].upper()
        rows.append((name[1:], at + 1, ref, rng.choice([base for base in "ACGT" if base != ref])))

    def scored(part, out, **options):
        body = "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in part)
        vcf = tmp_path / f"{out}.vcf"
        vcf.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + body)
        path = tmp_path / f"{out}.tsv"
        score_variants("bpnet-k562-ctcf", vcf, genome, path, any_genome=True, device="cpu", **options)
        return path.read_bytes()

    scored(rows[3:12], "part", store=tmp_path / "s")
    scored(rows[17:18], "one", store=tmp_path / "s")
    assert scored(rows, "all", store=tmp_path / "s") == scored(rows, "bare")
