"""Track hubs by the rules that UCSC's hubCheck applies (read again here, in plain Python), and sessions of IGV."""

from __future__ import annotations

import functools
import http.server
import json
import re
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import pyBigWig
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "prediction"))
from prediction_cases import make_case
from toys import complement, make_toy_entry, window, write_fasta

import zoo
from zoo.errors import UsageError
from zoo.genome.assembly import load_assembly
from zoo.writers.hub_text import HubTrack, igv_session, labelled, track_db

QUIET = {"trust": True, "report": lambda _: None}
BIRD = {"hub_genome": "galGal6"}  # a name of UCSC's whose lengths this program does not know


# ---------------------------------------------------------------- the rules, as hubCheck and its documents say them


def stanzas(text):
    """Records of UCSC's "ra" files: lines `setting value`, blank lines between records, `#` begins a comment."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        record = {}
        for line in block.splitlines():
            line = line.strip()
            if line.startswith("#"):
                continue
            assert not line.endswith("\\"), line
            setting, _, value = line.partition(" ")
            assert setting not in record and value, line
            record[setting] = value
        found.append(record)
    return found


def check_label(record):
    assert 0 < len(record["shortLabel"]) <= 17 and 0 < len(record["longLabel"]) <= 80, record
    assert record["shortLabel"].isascii() and record["longLabel"].isascii()


def check_track_db(text, opened):
    """Raise where hubCheck would; returns the tracks by name. `opened` takes a bigDataUrl."""
    tracks = {}
    for record in stanzas(text):
        name = record["track"]
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name), name
        assert name.lower() not in {one.lower() for one in tracks}, f"{name} twice"
        tracks[name] = record
        check_label(record)
    children = {}
    for record in tracks.values():
        if "parent" in record:
            parent, *state = record["parent"].split()
            assert parent in tracks and state in ([], ["on"], ["off"]), record
            children.setdefault(parent, []).append(record)
    shorts = [record["shortLabel"] for name, record in tracks.items() if name not in children]
    assert len({*shorts}) == len(shorts)
    for name, record in tracks.items():
        kind, *limits = record["type"].split()
        low, high = map(float, limits)
        assert kind == "bigWig" and low < high
        if name in children:
            assert ("compositeTrack" in record) != ("container" in record) and "bigDataUrl" not in record
            assert "parent" not in record  # a multiWig is no child of a composite
            if "container" in record:
                assert record["container"] == "multiWig" and len(children[name]) >= 2
                assert record["aggregate"] == "transparentOverlay"
            else:
                assert record["compositeTrack"] == "on"
            for child in children[name]:
                assert low <= float(child["type"].split()[1]) and float(child["type"].split()[2]) <= high
        else:
            assert "compositeTrack" not in record and "container" not in record, f"{name} has no children"
            red, green, blue = map(int, record["color"].split(","))
            assert all(0 <= part <= 255 for part in (red, green, blue))
            with opened(record["bigDataUrl"]) as file:
                values = [value for chrom in file.chroms() for *_, value in file.intervals(chrom) or ()]
            if values:
                assert low <= min(values) and max(values) <= high
                assert min(values) == max(values) or (low, high) == pytest.approx((min(values), max(values)), rel=1e-6)
    return tracks


def check_hub(folder, genome):
    """Every rule, on disk; returns the tracks."""
    (hub,) = stanzas((folder / "hub.txt").read_text())
    assert {"hub", "shortLabel", "longLabel", "genomesFile", "email"} <= set(hub)
    assert " " not in hub["hub"] and "@" in hub["email"]
    check_label(hub)
    (listed,) = stanzas((folder / hub["genomesFile"]).read_text())
    assert listed["genome"] == genome and not Path(listed["trackDb"]).is_absolute()
    place = folder / listed["trackDb"]
    return check_track_db(place.read_text(), lambda url: pyBigWig.open(str(place.parent / url)))


def session_of(folder):
    root = ElementTree.parse(folder / "igv_session.xml").getroot()
    assert root.tag == "Session" and root.get("version") == "8"
    paths = [one.get("path") for one in root.iter("Resource")]
    assert [track.get("id") for track in root.iter("Track")] == paths  # igv.js joins them by this
    assert all(not Path(path).is_absolute() and (folder / path).is_file() for path in paths)
    return root, paths


def values_of(path):
    with pyBigWig.open(str(path)) as file:
        return {chrom: file.intervals(chrom) for chrom in file.chroms() if file.intervals(chrom)}


# ---------------------------------------------------------------- runs


@pytest.mark.parametrize("kind", ["gc", "profile", "stranded"])
def test_a_hub_keeps_every_rule_and_holds_what_bigwigs_hold(tmp_path, kind):
    case = make_case(tmp_path, kind, n=40, inside=True)
    result = case.predict(None, track_hub=tmp_path / "hub", overlap="mean", **(QUIET | BIRD))
    hub = tmp_path / "hub"
    assert result.paths == [hub]
    check_hub(hub, "galGal6")
    case.predict(tmp_path / "out.bw", **QUIET)
    listing = json.loads((hub / "seqzoo.json").read_text())
    several = len(listing["tracks"]) > 1
    for one in listing["tracks"]:
        alone = f"out.{one['output']}.{one['track']}.bw" if several else "out.bw"
        assert values_of(hub / one["file"]) == values_of(tmp_path / alone)
    _, paths = session_of(hub)
    assert paths == [one["file"] for one in listing["tracks"]]
    made = {path.relative_to(hub).as_posix() for path in hub.rglob("*") if path.is_file()}
    assert made == set(listing["files"])
    assert not list(tmp_path.glob("hub.partial*")) and (tmp_path / "hub.run.json").is_file()


def test_strands_have_colours_of_their_own_and_lie_over_each_other(tmp_path):
    case = make_case(tmp_path, "stranded", n=10, inside=True)
    case.predict(None, track_hub=tmp_path / "hub", **(QUIET | BIRD))
    tracks = check_hub(tmp_path / "hub", "galGal6")
    plus, minus = tracks["counts_plus"], tracks["counts_minus"]
    assert plus["color"] != minus["color"] and plus["parent"].split()[0] == minus["parent"].split()[0]
    assert tracks[plus["parent"].split()[0]]["container"] == "multiWig"
    assert "+ strand" in plus["longLabel"] and "- strand" in minus["longLabel"]
    assert plus["longLabel"].endswith(", + strand, bases")
    root, _ = session_of(tmp_path / "hub")
    colours = {track.get("name").split(" (")[0]: track.get("color") for track in root.iter("Track")}
    assert colours["counts plus"] == plus["color"] and colours["counts minus"] == minus["color"]


LONG_UNITS = "reads per bin; CAGE and RNA after Borzoi's squashing"


@pytest.mark.parametrize(
    ("track", "strand", "units", "label"),
    [
        ("atac", "", "cuts", "a-model: atac, cuts"),
        ("atac", "+", None, "a-model: atac, + strand, units not given"),
        ("DNase:K562 replicate 1", "", LONG_UNITS, f"DNase:K562 replicate 1, {LONG_UNITS}"),  # the hub names the model
        ("x" * 26, "", LONG_UNITS, f"{'x' * 26}, {LONG_UNITS[:46]}.."),
        ("CAGE:oral squamous cell carcinoma cell line:Ca9-22", "-", LONG_UNITS, None),
        ("y" * 300, "+", "z" * 300, None),
    ],
)
def test_a_long_label_keeps_the_tracks_name(track, strand, units, label):
    """Tracks of an output share units, and not their names, which differ at both ends."""
    (made,) = labelled("a-model", [("out", track, units)], {("out", track): (strand, "")}, False)
    assert len(made.long) <= 76 and (label is None or made.long == label)
    assert made.long.startswith("a-model: ") or made.long.startswith(track[:15])
    if label is None:
        name = made.long.partition(f", {strand} strand, ")[0]
        assert name.endswith(track[-15:]) and made.long.endswith("..")


def test_reversed_windows_lie_on_the_genomes_strands(tmp_path):
    """By hand, from the sequence: whatever strand a region has, `plus` counts A of the genome and `minus` its T."""
    case = make_case(tmp_path, "stranded", n=30, inside=True)
    case.predict(None, track_hub=tmp_path / "hub", strand="use", overlap="max", **(QUIET | BIRD))
    checked = 0
    for chrom, start, end, *_ in case.rows:
        at = (start + end) // 2 - 12
        alone = all(
            abs(at - ((s + e) // 2 - 12)) >= 24 for c, s, e, *_ in case.rows if c == chrom and (s, e) != (start, end)
        )
        if not alone:
            continue
        seen = window(case.sequences[chrom], at, 24)
        plus = case.toy.answer(seen)["counts"][0]
        assert complement(complement(seen)).upper() == seen.upper()
        with pyBigWig.open(str(tmp_path / "hub/galGal6/counts_plus.bw")) as file:
            for i, value in enumerate(plus):
                assert file.values(chrom, at + 4 + 4 * i, at + 8 + 4 * i) == [value] * 4
        checked += 1
    assert checked > 3


def test_it_opens_over_http_with_relative_addresses_only(tmp_path):
    case = make_case(tmp_path, "stranded", n=10, inside=True)
    (tmp_path / "site").mkdir()
    case.predict(None, track_hub=tmp_path / "site/hub", **(QUIET | BIRD))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_port}/hub/hub.txt"

        def read(url):
            with urllib.request.urlopen(url) as answer:
                return answer.read()

        (hub,) = stanzas(read(base).decode())
        genomes = urllib.parse.urljoin(base, hub["genomesFile"])
        (listed,) = stanzas(read(genomes).decode())
        db = urllib.parse.urljoin(genomes, listed["trackDb"])
        found = [record["bigDataUrl"] for record in stanzas(read(db).decode()) if "bigDataUrl" in record]
        assert len(found) == 3
        for url in found:
            whole = read(urllib.parse.urljoin(db, url))
            assert whole[:4] == whole[-4:] == (0x888FFC26).to_bytes(4, "little")
        session = urllib.parse.urljoin(base, "igv_session.xml")
        for resource in ElementTree.fromstring(read(session).decode().partition("?>")[2]).iter("Resource"):
            assert read(urllib.parse.urljoin(session, resource.get("path")))[:4] == whole[:4]
    finally:
        server.shutdown()
        server.server_close()


def test_chosen_tracks_are_those_of_the_hub(tmp_path):
    case = make_case(tmp_path, "stranded", n=5, inside=True)
    case.predict(None, track_hub=tmp_path / "hub", tracks=["total"], **(QUIET | BIRD))
    tracks = check_hub(tmp_path / "hub", "galGal6")
    assert [*tracks] == ["at"] and "parent" not in tracks["at"] and tracks["at"]["visibility"] == "full"


# ---------------------------------------------------------------- the genome


def yeast(tmp_path, rename=lambda name: name, shorter=0):
    """A FASTA with the names and lengths of sacCer3, of N but for one stretch, and regions there."""
    sizes = {chrom.ucsc: chrom.length for chrom in load_assembly("sacCer3").chromosomes}
    fasta = tmp_path / "yeast.fa"
    with open(fasta, "w") as file:
        for i, (name, size) in enumerate(sizes.items()):
            body = ("ACGT" * 1000).ljust(size - shorter * (i == 0), "N")
            file.write(f">{rename(name)}\n{body}\n")
    return fasta, [(rename("chrI"), 1000, 1010), (rename("chrII"), 2000, 2010)]


def test_the_fasta_says_which_genome_it_is(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "profile")
    fasta, regions = yeast(tmp_path)
    zoo.predict(toy.folder, regions, fasta, track_hub=tmp_path / "hub", **QUIET)
    check_hub(tmp_path / "hub", "sacCer3")
    root, _ = session_of(tmp_path / "hub")
    assert root.get("genome") == "sacCer3" and root.get("locus") == "chrI:1001-1010"


def test_chromosomes_get_the_names_of_ucsc(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "profile")
    names = {chrom.ucsc: chrom.plain or chrom.ucsc for chrom in load_assembly("sacCer3").chromosomes}
    fasta, regions = yeast(tmp_path, names.__getitem__)
    assert regions[0][0] == "I"
    told = []
    zoo.predict(toy.folder, regions, fasta, track_hub=tmp_path / "hub", trust=True, report=told.append)
    (track,) = check_hub(tmp_path / "hub", "sacCer3").values()
    found = values_of(tmp_path / "hub/sacCer3" / track["bigDataUrl"])
    assert set(found) == {"chrI", "chrII"} and any("I is chrI" in note for note in told)
    root, _ = session_of(tmp_path / "hub")
    assert root.get("locus").startswith("chrI:")


def test_both_names_of_a_chromosome_become_one(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "profile")
    fasta, _ = yeast(tmp_path)
    regions = [("chrI", 1000, 1010), ("I", 3000, 3010)]
    zoo.predict(toy.folder, regions, fasta, track_hub=tmp_path / "hub", translate_chroms=True, **QUIET)
    (track,) = check_hub(tmp_path / "hub", "sacCer3").values()
    found = values_of(tmp_path / "hub/sacCer3" / track["bigDataUrl"])
    # a window of 40 bp on each region, cropped by 8: [993, 1017) and [2993, 3017), bins of 4 bp that equal ones join
    assert set(found) == {"chrI"}
    assert (found["chrI"][0][0], found["chrI"][-1][1]) == (993, 3017)


@pytest.mark.parametrize("card", [True, False, {"genome": {"assembly": "my own genome"}}])
def test_an_unknown_genome_is_refused_unless_named(tmp_path, card):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=card)
    fasta = write_fasta(tmp_path / "g.fa", {"scaffold_1": "ACGT" * 50})
    run = functools.partial(
        zoo.predict, toy.folder, [("scaffold_1", 50, 60)], fasta, track_hub=tmp_path / "hub", **QUIET
    )
    if card is False:
        toy = make_toy_entry(tmp_path / "other", "gc", card=False)
    with pytest.raises(UsageError, match="is not known") as caught:
        run()
    assert "--hub-genome" in caught.value.fix and not (tmp_path / "hub").exists()
    with pytest.raises(UsageError, match="is not known"):
        run(dry_run=True)
    run(hub_genome="galGal6")
    check_hub(tmp_path / "hub", "galGal6")


@pytest.mark.parametrize("name", ["my genome", "yeast", "", "../x", "sacCer3/..", "TAIR10", "hg38\n"])
def test_a_name_that_ucsc_would_not_know_is_refused(tmp_path, name):
    case = make_case(tmp_path, "gc", n=3, inside=True)
    with pytest.raises(UsageError):
        case.predict(None, track_hub=tmp_path / "hub", hub_genome=name, **QUIET)
    assert not (tmp_path / "hub").exists()


def test_a_named_genome_of_other_lengths_is_refused(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    fasta, regions = yeast(tmp_path, shorter=7)
    with pytest.raises(UsageError, match=r"chrI has 230,211 bp .*230,218 there"):
        zoo.predict(toy.folder, regions, fasta, track_hub=tmp_path / "hub", hub_genome="R64-1-1", **QUIET)
    zoo.predict(toy.folder, regions, fasta, track_hub=tmp_path / "hub", hub_genome="R64-1-1", any_genome=True, **QUIET)
    check_hub(tmp_path / "hub", "sacCer3")


# ---------------------------------------------------------------- where it is written


def test_a_hub_of_ours_is_replaced_and_nothing_else(tmp_path):
    case = make_case(tmp_path, "gc", n=5, inside=True)
    run = functools.partial(case.predict, None, track_hub=tmp_path / "hub", **(QUIET | BIRD))
    run()
    before = (tmp_path / "hub/galGal6/gc.bw").read_bytes()
    run(tracks=["gc"])
    assert (tmp_path / "hub/galGal6/gc.bw").read_bytes() == before
    (tmp_path / "hub/about.html").write_text("mine")
    with pytest.raises(UsageError, match=r"about\.html was put there by somebody else"):
        run()
    assert (tmp_path / "hub/about.html").read_text() == "mine"


def test_the_address_of_an_older_hub_is_kept(tmp_path):
    case = make_case(tmp_path, "gc", n=5, inside=True)
    told = []
    run = functools.partial(case.predict, None, track_hub=tmp_path / "hub", report=told.append, **BIRD)
    run()
    assert any("nobody@example.org" in note for note in told)
    hub = tmp_path / "hub/hub.txt"
    hub.write_text(hub.read_text().replace("nobody@example.org", "me@lab.edu"))
    told.clear()
    run()
    assert "\nemail me@lab.edu\n" in hub.read_text() and not any("example.org" in note for note in told)
    hub.write_text("email\n")
    run()
    check_hub(tmp_path / "hub", "galGal6")


@pytest.mark.parametrize("inside", [".", "galGal6"])
def test_the_folder_that_one_stands_in_is_not_replaced(tmp_path, monkeypatch, inside):
    case = make_case(tmp_path, "gc", n=5, inside=True)
    case.predict(None, track_hub=tmp_path / "hub", **(QUIET | BIRD))
    monkeypatch.chdir(tmp_path / "hub" / inside)
    place = "." if inside == "." else ".."
    for named in (place, tmp_path / "hub"):
        with pytest.raises(UsageError, match="would be replaced, and this command was started in it"):
            case.predict(None, track_hub=named, **(QUIET | BIRD))
    check_hub(tmp_path / "hub", "galGal6")


def test_places_that_must_not_be_written_are_refused_before_the_run(tmp_path):
    case = make_case(tmp_path, "gc", n=5, inside=True)
    run = functools.partial(case.predict, None, **(QUIET | BIRD))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/hub.txt").write_text("hub somebody\n")
    (tmp_path / "file").write_text("x")
    for place in ("full", "file", "toy", "no/such/folder"):
        with pytest.raises(UsageError):
            run(track_hub=tmp_path / place)
    for options in (
        {"track_hub": tmp_path / "hub", "format": "bw"},
        {"track_hub": tmp_path / "hub", "aggregate": "sum"},
        {"track_hub": "http://example.org/hub"},
    ):
        with pytest.raises(UsageError):
            run(**options)
    with pytest.raises(UsageError, match="writes one result"):
        case.predict(tmp_path / "x.bw", track_hub=tmp_path / "hub", **(QUIET | BIRD))
    with pytest.raises(UsageError, match="is for a track hub"):
        case.predict(tmp_path / "x.bw", **(QUIET | BIRD))
    assert (tmp_path / "full/hub.txt").read_text() == "hub somebody\n" and not (tmp_path / "hub").exists()


def test_bins_without_places_cannot_be_shown(tmp_path):
    case = make_case(tmp_path, "profile", n=5, inside=True, card=False)
    with pytest.raises(UsageError, match="where its bins lie"):
        case.predict(None, track_hub=tmp_path / "hub", **(QUIET | BIRD))


def test_an_interrupted_hub_goes_on_and_is_the_same(tmp_path, monkeypatch):
    import zoo.run.file_run as file_run

    case = make_case(tmp_path, "stranded", n=60, inside=True)
    small = {"batch_size": 4} | QUIET | BIRD
    case.predict(None, track_hub=tmp_path / "whole", **small)
    monkeypatch.setattr("zoo.run.predict.STEP_BASES", 24 * 4)
    monkeypatch.setattr(file_run, "CHECKPOINT_SECONDS", -1.0)
    real, calls = file_run.FileRun._write, []

    def failing(self, batch, cursor, counts):
        calls.append(cursor)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, batch, cursor, counts)

    monkeypatch.setattr(file_run.FileRun, "_write", failing)
    with pytest.raises(KeyboardInterrupt):
        case.predict(None, track_hub=tmp_path / "hub", **small)
    assert not (tmp_path / "hub").exists() and (tmp_path / "hub.partial.json").is_file()
    monkeypatch.setattr(file_run.FileRun, "_write", real)
    told = []
    case.predict(None, track_hub=tmp_path / "hub", resume=True, **(small | {"report": told.append}))
    assert any("resuming after" in note for note in told)
    for path in sorted((tmp_path / "whole").rglob("*.*")):
        assert (tmp_path / "hub" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
    check_hub(tmp_path / "hub", "galGal6")
    assert not list(tmp_path.glob("hub.partial*"))


# ---------------------------------------------------------------- names of all kinds


ODD = [
    "a b",
    "a/b",
    "a.b",
    "A_b",
    "é",
    "\u03b1",
    "\u03b2",
    "1st",
    "x" * 300,
    "x" * 299 + "y",
    "<b>",
    "$db",
    "end\\",
    "tab\there",
    "",
    "-",
]


def made(tracks, strands=None, several=False):
    rows = labelled(
        "a model/with: odd \n name", [("out", name, units) for name, units in tracks], strands or {}, several
    )
    return [HubTrack(**(vars(row) | {"low": -1.5, "high": 2.0})) for row in rows]


class Opened:
    """A bigWig with one value, for the rules."""

    def __init__(self, _):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def chroms(self):
        return {}


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("units", [None, "Tn5 cuts per bin", "µg · m⁻³", "u" * 200])
def test_names_of_any_kind_make_a_valid_hub(several, units):
    tracks = made([(name, units) for name in ODD], several=several)
    found = check_track_db(track_db(tracks), Opened)
    assert len(found) == len(ODD) + 1
    assert len({track.file.lower() for track in tracks}) == len(ODD)
    root = ElementTree.fromstring(igv_session("hg38", "chr1:1-10", tracks).partition("?>")[2])
    assert len(list(root.iter("Track"))) == len(ODD)
    if units == "Tn5 cuts per bin":
        assert all(track.long.endswith("Tn5 cuts per bin") for track in tracks)


def test_many_tracks_are_one_composite_of_which_the_first_are_drawn():
    tracks = made([(f"cell {i}", "counts") for i in range(500)])
    found = check_track_db(track_db(tracks), Opened)
    states = [record["parent"].split()[1] for record in found.values() if "parent" in record]
    assert states == ["on"] * 20 + ["off"] * 480
    assert (
        len(list(ElementTree.fromstring(igv_session("hg38", "chr1:1-2", tracks).partition("?>")[2]).iter("Track")))
        == 20
    )


@pytest.mark.parametrize(("pairs", "containers"), [(1, 1), (10, 10), (11, 0)])
def test_many_pairs_are_a_composite_and_few_lie_over_each_other(pairs, containers):
    names = [(f"t{i}{sign}", "n") for i in range(pairs) for sign in "+-"]
    strands = {
        ("out", f"t{i}{sign}"): (sign, f"t{i}{other}") for i in range(pairs) for sign, other in (("+", "-"), ("-", "+"))
    }
    tracks = made([*names, ("alone", "n")], strands)
    found = check_track_db(track_db(tracks), Opened)
    assert sum("container" in record for record in found.values()) == containers
    assert {track.colour for track in tracks if track.strand == "+"} != {t.colour for t in tracks if t.strand == "-"}
    assert len(found) == 2 * pairs + 1 + (containers or 1)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-30])
def test_one_value_alone_still_has_a_range(value):
    (track,) = made([("t", None)])
    one = HubTrack(**(vars(track) | {"low": value, "high": value}))
    check_track_db(track_db([one]), Opened)
    low, high = map(float, one.limits.split()[1:])
    assert low <= value <= high and low < high
