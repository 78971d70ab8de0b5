"""A path that is none: URLs and Git LFS pointers, wherever a path stands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from toys import make_toy_entry

import zoo
from zoo.cli import run
from zoo.errors import InputError, ModelError, UsageError, ZooError
from zoo.paths import given_path, is_url, refuse_pointers, refuse_url
from zoo.store.registry import given_folder

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 12345\n"

# What was given, the address that is named, and the command that fetches it.
URLS = [
    ("https://x.org/a/peaks.bed", "https://x.org/a/peaks.bed", "curl -LO https://x.org/a/peaks.bed"),
    ("https:/x.org/a/peaks.bed", "https://x.org/a/peaks.bed", "curl -LO https://x.org/a/peaks.bed"),
    ("HTTP://x.org/a.bed", "http://x.org/a.bed", "curl -LO http://x.org/a.bed"),
    (Path("https://x.org/a.bed"), "https://x.org/a.bed", "curl -LO https://x.org/a.bed"),
    ("https://x.org/a.bed?raw=1", "https://x.org/a.bed?raw=1", "curl -L -o a.bed 'https://x.org/a.bed?raw=1'"),
    ("ftp://x.org/a.fa.gz", "ftp://x.org/a.fa.gz", "curl -LO ftp://x.org/a.fa.gz"),
    ("s3://b/k/a.bed", "s3://b/k/a.bed", "aws s3 cp s3://b/k/a.bed ."),
    ("s3:/b/k/a.bed", "s3://b/k/a.bed", "aws s3 cp s3://b/k/a.bed ."),
    ("gs://b/a.bed", "gs://b/a.bed", "gcloud storage cp gs://b/a.bed ."),
    ("file:///data/a.bed", "file:///data/a.bed", "give the path itself: /data/a.bed"),
    ("file:/data/a.bed", "file:///data/a.bed", "give the path itself: /data/a.bed"),
    ("abfs://c/a.bed", "abfs://c/a.bed", "download it first, and give the file"),
    ("made-up://x/a.bed", "made-up://x/a.bed", "download it first, and give the file"),
]


@pytest.mark.parametrize(("given", "named", "fix"), URLS)
def test_a_url_is_named_with_what_fetches_it(given, named, fix):
    assert is_url(given)
    with pytest.raises(InputError) as caught:
        given_path(given)
    assert caught.value.what == f"{named}: is a URL" and fix in caught.value.fix


@pytest.mark.parametrize(
    "given",
    ["peaks.bed", "/a/b.bed", "-", "a:b.bed", "chr1:5-9", "C:/x.bed", "enformer:w.bin", "source/model", 3, None],
)
def test_a_path_is_none(given):
    assert not is_url(given)
    refuse_url(given)


def test_a_file_that_is_there_is_no_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "https:/x.org").mkdir(parents=True)
    (tmp_path / "https:/x.org/a.bed").write_text("chr1\t1\t2\n")
    assert given_path("https:/x.org/a.bed") == Path("https:/x.org/a.bed")


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("https://huggingface.co/org/repo", "Fix: give hf://org/repo"),
        ("https://github.com/kipoi/models", "Fix: `zoo source add models https://github.com/kipoi/models`"),
        ("https://x.org/weights.h5", "Fix: download it first: curl -LO https://x.org/weights.h5"),
    ],
)
def test_the_url_of_a_model_may_be_a_repository(url, fix):
    for name in (url, url.replace("//", "/", 1)):
        with pytest.raises(ModelError) as caught:
            zoo.load_model(name)
        assert caught.value.what == f"{url}: is a URL" and caught.value.fix.startswith(fix)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_toy_entry(tmp_path_factory.mktemp("paths") / "toy", "gc")


BED, FASTA = "https://x.org/a.bed", "s3://b/g.fa"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (f"predict TOY {BED} -g g.fa", BED),
        (f"predict TOY r.bed -g {FASTA}", FASTA),
        ("predict TOY r.bed -g g.fa -o gs://b/out.tsv", "-o gs://b/out.tsv"),
        (f"predict TOY r.bed -g g.fa --set fasta_file={FASTA}", f"--set fasta_file: {FASTA}"),
        (f"predict {BED} r.bed -g g.fa", BED),
        (f"attribute TOY {BED} -g g.fa -o c.h5", BED),
        ("attribute TOY r.bed -g g.fa -o s3://b/c.h5", "-o s3://b/c.h5"),
        (f"report TOY {BED} -g g.fa -o r.html", BED),
        ("report TOY r.bed -g g.fa -o r.html --genes https://x.org/g.gtf", "https://x.org/g.gtf"),
        ("report TOY r.bed -g g.fa -o r.html --database https://x.org/m.meme", "--database https://x.org/m.meme"),
        ("motifs https://x.org/c.h5 -o m.h5", "https://x.org/c.h5"),
        ("finetune https://x.org/run.yaml", "https://x.org/run.yaml"),
        ("evaluate TOY https://x.org/run.yaml", "https://x.org/run.yaml"),
        ("convert https://x.org/m.pt -o w.pth", "https://x.org/m.pt"),
        ("info https://x.org/m.ckpt", "https://x.org/m.ckpt"),
        ("add s3://b/m.ckpt --name m", "s3://b/m.ckpt"),
        ("pull s3://b/m", "s3://b/m"),
    ],
)
def test_a_url_in_every_place_of_a_path(toy, tmp_path, monkeypatch, capsys, line, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.bed").write_bytes(toy.regions.read_bytes())
    (tmp_path / "g.fa").write_bytes(toy.genome.read_bytes())
    before = sorted(path.name for path in tmp_path.iterdir())
    code = run(shlex.split(line.replace("TOY", str(toy.folder))))
    told = capsys.readouterr().err.splitlines()
    assert code in (2, 3, 4) and told[0] == f"error: {named}: is a URL" and told[2].startswith("  Fix: ")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".fai") == before


def test_urls_among_the_files_of_a_run(tmp_path):
    from finetune.config_file import load_config

    path = tmp_path / "run.yaml"
    data = {
        "base": "yeast-atac",
        "genome": "g.fa",
        "targets": [{"name": "a", "files": ["https://x.org/a.bw"]}],
        "split": {"test": ["chr1"], "validation": ["chr2"]},
    }
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert caught.value.what == "`targets.0.files`: https://x.org/a.bw: is a URL"
    with pytest.raises(UsageError, match="`genome`: s3://b/g"):
        load_config(path, ("targets=[{name: a, files: [a.bw]}]", "genome=s3://b/g.fa"))
    ours = ("targets=[{name: a, files: [a.bw]}]", "base=hf://org/repo")
    assert load_config(path, ours).base == "hf://org/repo"  # no path, though it has a slash


# ---------------------------------------------------------------- Git LFS


def readers(folder):
    """What reads a file of each kind, and what it raises for a pointer."""
    from interpret.contribs.file import open_contribs
    from interpret.motifs.databases import open_database
    from interpret.motifs.motifs_file import read_motifs
    from interpret.references import parse_references
    from interpret.report.genes import read_genes
    from zoo.convert.convert import convert
    from zoo.genome.fasta import open_genome
    from zoo.genome.intervals import RegionFile
    from zoo.models.pytorch import load_tensors

    return {
        "a.bed": (RegionFile, InputError),
        "a.fa": (open_genome, InputError),
        "a.fa.gz": (open_genome, InputError),
        "a.pth": (load_tensors, ModelError),
        "a.safetensors": (load_tensors, ModelError),
        "a.pt": (lambda path: convert(path, folder / "out.pth"), InputError),
        "b.h5": (zoo.load_model, ModelError),
        "a.ckpt": (zoo.load_model, ModelError),
        "c.h5": (open_contribs, InputError),
        "d.h5": (read_motifs, InputError),
        "a.meme": (lambda path: open_database(str(path)), InputError),
        "a.gtf": (read_genes, InputError),
        "a.npz": (lambda path: parse_references(str(path)), InputError),
    }


def test_a_pointer_in_the_place_of_every_kind_of_file(tmp_path):
    for name, (read, kind) in readers(tmp_path).items():
        path = tmp_path / name
        path.write_text(POINTER)
        with pytest.raises(ZooError) as caught:
            read(path)
        error = caught.value
        assert isinstance(error, kind), name
        assert error.what == f"{path}: is a Git LFS pointer; the file itself was not fetched"
        assert error.extent == "the file has 12,345 bytes"
        assert "git lfs pull" in error.fix and "4d7a214614ab" in error.fix


def test_in_a_clone_the_command_is_told(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "data").mkdir()
    path = tmp_path / "data/genome one.fa"
    path.write_text(POINTER)
    with pytest.raises(InputError) as caught:
        refuse_pointers((path,), InputError)
    assert caught.value.fix == f"Fix: install git-lfs, then: git -C {tmp_path / 'data'} lfs pull -I 'genome one.fa'"


def test_what_only_begins_like_a_pointer_or_is_of_git_annex(tmp_path):
    (tmp_path / "long").write_text(POINTER + "x" * 2000)
    (tmp_path / "annex").write_text("/annex/objects/SHA256E-s5--abc\n")
    refuse_pointers((tmp_path / "long", tmp_path / "absent", tmp_path))
    with pytest.raises(ModelError, match="git-annex pointer"):
        refuse_pointers((tmp_path / "annex",))


def test_the_pointer_of_weights_in_a_folder(toy, tmp_path):
    found = make_toy_entry(tmp_path / "toy", "gc", card=False)
    (found.folder / "weights.pth").write_text(POINTER)
    with pytest.raises(ModelError, match="is a Git LFS pointer"):
        zoo.predict(found.folder, toy.regions, toy.genome, tmp_path / "o.tsv", trust=True)
    assert not (tmp_path / "o.tsv").exists()


def test_a_repository_of_the_hub_is_pulled_where_a_folder_is_needed():
    with pytest.raises(ModelError, match="`zoo pull hf://org/model` fetches it"):
        given_folder("hf://org/model")


def test_the_empty_text_is_no_path():
    with pytest.raises(InputError, match="'': is the name of no file"):
        given_path("")
    with pytest.raises(UsageError, match="is the name of no file"):
        given_path("  ", UsageError)
    assert given_path(".") == Path()


@pytest.mark.parametrize("given", [20.0, ["a.vcf"], None])
def test_what_is_no_path(given):
    with pytest.raises(InputError, match=f"is of the type {type(given).__name__}, where a file is named"):
        given_path(given)
