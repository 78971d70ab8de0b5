"""`zoo variants --anchor left` on gReLU's checkpoints gives what gReLU's own ``predict_variant_effects`` gives."""

from __future__ import annotations

import random

import numpy as np
import pytest

from zoo.variants.score_variants import score_variants

LENGTH, SIZE = 64, 3000
CLASSES = {"model_type": "ConvModel", "n_tasks": 3, "final_pool_func": "avg"}


@pytest.fixture(scope="module")
def single_bases(tmp_path_factory):
    """A genome of one contig, and 40 substitutions of one base as (chrom, pos from 1, ref, alt)."""
    rng = random.Random(3)
    letters = "".join(rng.choices("ACGT", k=SIZE))
    fasta = tmp_path_factory.mktemp("variants") / "genome.fa"
    fasta.write_text(f">chr1\n{letters}\n")
    fasta.with_name("genome.fa.sizes").write_text(f"chr1\t{SIZE}\n")  # gReLU does not make it itself
    starts = rng.sample(range(100, SIZE - 100), 40)
    return fasta, [("chr1", s + 1, letters[s], rng.choice("ACGT".replace(letters[s], ""))) for s in starts]


def theirs(model, fasta, variants, **options):
    """(variants, tasks, bins): ALT less REF, by gReLU."""
    import pandas as pd
    from grelu.variant import predict_variant_effects

    frame = pd.DataFrame(variants, columns=["chrom", "pos", "ref", "alt"])
    options |= {"compare_func": "subtract", "return_ad": False, "num_workers": 0, "devices": "cpu"}
    return predict_variant_effects(frame, model, seq_len=LENGTH, genome=str(fasta), **options)


def ours(checkpoint, fasta, variants, **options):
    """(variants, tasks): ALT less REF, summed over bins."""
    texts = [f"{chrom}:{pos}:{ref}>{alt}" for chrom, pos, ref, alt in variants]
    scored = score_variants(checkpoint, texts, fasta, score=("diff",), anchor="left", any_genome=True, **options)
    table = scored.to_pandas()
    assert (table["status"] == "ok").all() and len(table) == len(variants)
    return table[[name for name in table if name.startswith("diff")]].to_numpy()


def test_single_bases_score_as_in_grelu(tmp_path, make_checkpoint, single_bases):
    fasta, variants = single_bases
    model = make_checkpoint(tmp_path / "x.ckpt")
    expected = theirs(model, fasta, variants).sum(-1)
    scale = np.abs(expected).max()
    assert scale > 0.01
    np.testing.assert_allclose(ours(tmp_path / "x.ckpt", fasta, variants), expected, atol=1e-5 * max(1.0, scale))


def test_both_strands_average_as_in_grelu(tmp_path, make_checkpoint, single_bases):
    """gReLU averages a profile of the other strand without turning it: sums over all bins are the same."""
    fasta, variants = single_bases
    model = make_checkpoint(tmp_path / "x.ckpt")
    expected = theirs(model, fasta, variants, rc=True).sum(-1)
    found = ours(tmp_path / "x.ckpt", fasta, variants, rc_average=True)
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1.0, np.abs(expected).max()))


def test_both_strands_of_classes_average_logits_and_grelu_probabilities(
    tmp_path, make_checkpoint, single_bases, windows
):
    """One strand is the same; of both gReLU gives the mean of what the softmax gave, ours the softmax of the mean."""
    import torch

    fasta, variants = single_bases
    model = make_checkpoint(tmp_path / "x.ckpt", CLASSES, {"task": "multiclass", "loss": "ce"})
    kept = torch.load(tmp_path / "x.ckpt", weights_only=False)
    head = {key.rpartition(".")[2]: key for key in kept["state_dict"] if key.startswith("model.head.")}
    kept["state_dict"][head["weight"]] *= 500  # classes that differ, none of them always
    model.load_state_dict(kept["state_dict"])
    with torch.no_grad():
        kept["state_dict"][head["bias"]] -= model(windows(20, LENGTH), logits=True).mean((0, 2))
    model.load_state_dict(kept["state_dict"])
    torch.save(kept, tmp_path / "x.ckpt")
    one = theirs(model, fasta, variants)[..., 0]
    np.testing.assert_allclose(ours(tmp_path / "x.ckpt", fasta, variants), one, atol=1e-5)
    both = ours(tmp_path / "x.ckpt", fasta, variants, rc_average=True)
    letters = fasta.read_text().split()[1]
    codes = str.maketrans("ACGT", "\0\1\2\3")
    expected = []
    for _, pos, _, alt in variants:
        window = letters[pos - LENGTH // 2 : pos + LENGTH // 2]
        changed = window[: LENGTH // 2 - 1] + alt + window[LENGTH // 2 :]
        rows = torch.tensor([list(one.translate(codes).encode()) for one in (window, changed)])
        x = torch.nn.functional.one_hot(rows, 4).transpose(1, 2).float()
        with torch.no_grad():
            logits = (model(x, logits=True) + model(x.flip(1, 2), logits=True))[..., 0] / 2
        ref, alternative = logits.softmax(1).numpy()
        expected.append(alternative - ref)
    np.testing.assert_allclose(both, expected, atol=1e-5)
    assert np.abs(both - theirs(model, fasta, variants, rc=True)[..., 0]).max() > 1e-4
