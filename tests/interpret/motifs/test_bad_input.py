"""Files that are no contributions, and databases that hold nothing: three lines, and nothing half-written."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from planted import plant

from interpret.contribs.central import read_contributions
from interpret.motifs.databases import open_database
from interpret.motifs.discover import parse_options, run_modisco
from interpret.motifs.find import find_motifs
from interpret.motifs.motifs_file import read_motifs
from zoo.cli import run
from zoo.errors import InputError, UsageError


@pytest.fixture
def damaged(planted, tmp_path):
    """A copy of the planted file, open for damage."""
    path = tmp_path / "damaged.h5"
    shutil.copy(planted.path, path)
    return path


def change(path, name, value):
    with h5py.File(path, "a") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = value
        file[name].attrs.update(attributes)


def refuse(path, match):
    with pytest.raises(InputError, match=match) as caught:
        read_contributions(path)
    assert caught.value.fix.startswith("Fix: ")


def test_not_finite(damaged):
    with h5py.File(damaged, "a") as file:
        file["hypothetical"][7, 2, 5] = np.nan
        file["hypothetical"][9, 2, 5] = np.inf
    with pytest.raises(InputError, match="first in sequence 7") as caught:
        read_contributions(damaged)
    assert caught.value.extent == "2 of 360 sequences"


def test_projected_contributions_in_the_place_of_hypothetical(damaged):
    with h5py.File(damaged, "a") as file:
        file["hypothetical"].attrs["kind"] = "projected"
    refuse(damaged, "holds values of kind 'projected'")


def test_transposed(damaged):
    with h5py.File(damaged) as file:
        turned = file["hypothetical"][:].transpose(0, 2, 1), file["one_hot"][:].transpose(0, 2, 1)
    for name, value in zip(("hypothetical", "one_hot"), turned, strict=True):
        change(damaged, name, value)
    refuse(damaged, r"one_hot has shape \(360, 160, 4\)")


def test_another_number_of_regions(damaged):
    change(damaged, "windows/start", np.arange(3))
    refuse(damaged, "360 sequences but")


def test_windows_of_another_length_than_the_sequences(damaged):
    with h5py.File(damaged) as file:
        ends = file["windows/end"][:]
    ends[[4, 5]] += 1
    change(damaged, "windows/end", ends)
    refuse(damaged, "window 4 is 161 bp, its sequence 160")


def test_two_bases_at_a_position(damaged):
    with h5py.File(damaged, "a") as file:
        file["one_hot"][3, :, 7] = [1, 1, 0, 0]
    refuse(damaged, "more than one base")


def test_nothing_contributes(damaged):
    with h5py.File(damaged, "a") as file:
        file["hypothetical"][:] = 0
    refuse(damaged, "all contributions are 0")


@pytest.mark.parametrize("name", ["regions/score", "windows/reverse"])
def test_incomplete_regions(damaged, name):
    with h5py.File(damaged, "a") as file:
        del file[name]
    refuse(damaged, "regions are incomplete")


@pytest.mark.parametrize("sign", [1, -1])
def test_contributions_of_one_sign_are_no_lack_of_regions(damaged, sign):
    """Saliency is an absolute value: TF-MoDISco finds nothing on the other side of its null distribution."""
    with h5py.File(damaged, "a") as file:
        file["hypothetical"][:] = sign * np.abs(file["hypothetical"][:])
    with pytest.raises(InputError) as caught:
        read_contributions(damaged)
    assert f"both signs, and none is {'negative' if sign > 0 else 'positive'}" in caught.value.what
    assert caught.value.extent.startswith("saliency says how strongly")  # the method in the file's record
    assert "--method inputxgradient" in caught.value.fix


@pytest.mark.long
def test_contributions_of_the_observed_base_only_give_motifs(tmp_path):
    """As ablation writes them: nothing is known of the other bases."""
    planted = plant(tmp_path, n=200)
    with h5py.File(planted.path, "a") as file:
        file["hypothetical"][:] = file["hypothetical"][:] * file["one_hot"][:]
    contributions = read_contributions(planted.path)
    positive, negative, _ = run_modisco(
        contributions.one_hot, contributions.hypothetical, tmp_path / "m.h5", {"n_leiden_runs": 1}
    )
    assert (positive, negative) == (2, 1)


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("version", np.int64(2), "version 2"),
        ("version", 1.5, "version 1.5"),
        ("version", [1, 2], "version [1, 2]"),
        ("format", "other", "other"),
    ],
)
def test_what_a_file_says_of_itself_is_shown_plainly(planted, found, tmp_path, attribute, value, said):
    for source, reads in ((planted.path, read_contributions), (planted.path.with_name("motifs.h5"), read_motifs)):
        path = shutil.copy(source, tmp_path)
        with h5py.File(path, "a") as file:
            file.attrs[attribute] = value
        with pytest.raises(InputError) as caught:
            reads(path)
        words = f"{caught.value.what} {caught.value.extent}"
        assert said in words
        assert "np." not in words and "array(" not in words and "seqzoo-" in words


def test_a_window_longer_than_the_sequences(planted):
    with pytest.raises(InputError, match="--central 400: the sequences are 160 bp"):
        read_contributions(planted.path, 400)


def test_too_few_sequences_for_statistics(tmp_path):
    few = plant(tmp_path, n=2)
    try:
        assert find_motifs(few.path, tmp_path / "m.h5", database="jaspar:fungi").patterns == ()
    except InputError as error:
        assert error.fix == "Fix: give more regions" and not list(tmp_path.glob("m*"))


def test_contributions_of_other_regions_or_of_another_model(planted, found, damaged):
    from interpret.report.regions import check_belongs

    check_belongs(found, planted.path)
    with h5py.File(damaged, "a") as file:
        starts = file["regions/start"][:]
        file["regions/start"][11] = starts[11] + 1
    with pytest.raises(InputError, match="not what") as caught:
        check_belongs(found, damaged)
    assert caught.value.extent == "1 of 360 regions differs, first region 11"
    with h5py.File(damaged, "a") as file:
        file["regions/start"][11] = starts[11]
        file.attrs["run"] = file.attrs["run"].replace('"toy"', '"another"')
    with pytest.raises(InputError, match="of another model") as caught:
        check_belongs(found, damaged)
    assert "another there, toy here" in caught.value.extent


def test_no_regions(tmp_path):
    from planted import write_contribs

    path = tmp_path / "none.h5"
    write_contribs(path, np.zeros((0, 4, 9)), np.zeros((0, 4, 9)), [], np.zeros(0), np.zeros(0, bool))
    refuse(path, "no regions")


@pytest.mark.parametrize("text", [b"", b"not hdf5 at all"])
def test_not_hdf5(tmp_path, text):
    path = tmp_path / "x.h5"
    path.write_bytes(text)
    refuse(path, "no HDF5 file")
    refuse(tmp_path / "absent.h5", "no such file")


def test_a_file_of_something_else(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["hypothetical"] = np.zeros(3)
    refuse(tmp_path / "x.h5", "format None, version None")


def test_windows_shorter_than_a_seqlet_leave_nothing(planted, tmp_path):
    with pytest.raises(InputError, match="shorter than a seqlet"):
        find_motifs(planted.path, tmp_path / "m.h5", database="jaspar:fungi", central=20)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_find_is_a_file_without_patterns(tmp_path):
    planted = plant(tmp_path, n=120, motifs=())
    found = find_motifs(planted.path, tmp_path / "m.h5", database="jaspar:fungi")
    assert found.patterns == () and len(found.hits) == 0
    assert (tmp_path / "m.motifs.tsv").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("choice", "error", "match"),
    [
        ("jaspar:mushrooms", UsageError, "no taxon 'mushrooms'"),
        ("nosuch", UsageError, "neither a file nor a known collection"),
    ],
)
def test_no_such_database(choice, error, match):
    with pytest.raises(error, match=match):
        open_database(choice)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("MEME version 4\n", "no motif"),
        ("MOTIF a\nletter-probability matrix: alength= 4 w= 2\n0.25 0.25 0.25 0.25\n", "ends early"),
        ("MOTIF a\nletter-probability matrix: alength= 4 w= 1\n0.25 0.25 0.25 0.95\n", ":3: not four probabilities"),
        ("MOTIF a\nletter-probability matrix: alength= 4\n", "the matrix of motif a ends early"),
        ("MOTIF a\nletter-probability matrix: alength= 4 w= 0\n", ":2: w= 0 is no number of rows"),
    ],
)
def test_broken_meme(tmp_path, text, match):
    path = tmp_path / "x.meme"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        open_database(str(path))


def test_hocomoco_holds_what_its_file_says():
    assert len(open_database("hocomoco-v12").motifs) == 1443  # lines of MOTIF in gReLU's copy


def test_options_of_modisco_are_checked():
    assert parse_options(["n_leiden_runs=5", "min_ic_in_window=0.5"]) == {"n_leiden_runs": 5, "min_ic_in_window": 0.5}
    with pytest.raises(UsageError, match="no option 'leiden'"):
        parse_options(["leiden=5"])
    with pytest.raises(UsageError, match="is no value"):
        parse_options(["n_leiden_runs=__import__('os')"])


def test_seqlets_that_were_left_out_are_said():
    from interpret.motifs.discover import capped

    said = "Using 300 positive seqlets\nExtracted 299 negative seqlets\n"
    assert capped(said, {}) is None
    note = capped(said, {"max_seqlets_per_metacluster": 300})
    assert note.startswith("TF-MoDISco looked at the first 300 positive seqlets of the file only")


@pytest.mark.parametrize(
    ("line", "out"), [("motifs {} --no-effects", "m.h5"), ("attribute {}", "m.bw"), ("attribute {}", "m.npz")]
)
def test_a_result_that_another_run_is_writing(planted, tmp_path, capsys, line, out):
    """What the other one has written so far is left alone."""
    from zoo.files import hold_lock

    (tmp_path / f"{out}.partial").mkdir()
    (tmp_path / f"{out}.partial" / "half").write_text("of the other run")
    with hold_lock(tmp_path / f"{out}.partial.lock", pytest.fail):
        assert run([*line.format(planted.path).split(), "-o", str(tmp_path / out)]) == 2
    assert "is being written by another run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == [f"{out}.partial", "half"]


def test_motifs_that_fail_leave_the_older_ones_as_they_were(planted, tmp_path, monkeypatch):
    """The table is not replaced before the file that it belongs to is whole."""
    from interpret.motifs import find

    older = {f"m{suffix}": f"older {suffix}" for suffix in [".h5", *find.EXPORTS]}
    for name, text in older.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(find, "run_modisco", lambda *args: (1, 0, ""))
    monkeypatch.setattr(find, "_patterns", lambda *args: [])
    monkeypatch.setattr(find, "add_results", lambda *args: None)
    monkeypatch.setattr(find, "read_motifs", lambda path: None)

    def fail(motifs):
        raise RuntimeError("in the last text")

    exports = {suffix: (lambda motifs: ["new"]) for suffix in find.EXPORTS} | {[*find.EXPORTS][-1]: fail}
    monkeypatch.setattr(find, "set_repeated_aside", lambda path: [])
    for name in ("find_enrichment", "choose_views", "match_patterns"):
        monkeypatch.setattr(find, name, lambda *args: None)
    monkeypatch.setattr(find, "EXPORTS", exports)
    with pytest.raises(RuntimeError, match="last text"):
        find.find_motifs(planted.path, tmp_path / "m.h5", database="jaspar:fungi", hits=False, effects=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == older
