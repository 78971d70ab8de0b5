"""Record and card as rows of tables: each value once, nothing of the maker's machine."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from interpret.report.page import render
from interpret.report.record import commands_of, file_name, option_rows, provenance, rows_of, without_paths


def test_the_commands_that_made_the_page_are_shown_once_each():
    run = {
        "contributions": {"command": ["/venv/bin/zoo", "attribute", "m", "a b.bed"]},
        "command": ["zoo", "motifs", "c.h5"],
    }
    found = commands_of(run, ["/other/zoo", "motifs", "c.h5"])
    assert found == ["zoo attribute m 'a b.bed'", "zoo motifs c.h5"]
    assert commands_of({"contributions": {}}) == [] and "pytest" not in " ".join(commands_of(run, ["pytest"]))
    assert "zoo report m.h5" in commands_of(run, ["zoo", "report", "m.h5"])
    assert commands_of({"contributions": {"command": "not a list"}, "command": []}) == []


def test_seed_versions_and_hashes():
    run = {
        "contributions": {
            "seed": 3,
            "versions": {"torch": "2", "seqzoo": "old"},
            "model": {"sha256": {"weights.pth": "ab"}},
            "regions": {"path": "/x/a.bed", "sha256": "cd"},
        },
        "versions": {"seqzoo": "new"},
    }
    assert provenance(run) == [
        ("Seed", "3"),
        ("Version of torch", "2"),
        ("Version of seqzoo", "new"),
        ("SHA-256 of weights.pth", "ab"),
        ("SHA-256 of a.bed", "cd"),
    ]
    assert provenance({"contributions": {"model": "toy", "regions": "a.bed"}}) == [("Seed", "None")]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("/home/anna/data/peaks.bed: 3 regions", "peaks.bed: 3 regions"),
        ("read /tmp/a/b.fa.gz, not /tmp/c.fa", "read b.fa.gz, not c.fa"),
        ("~/work/peaks.bed", "peaks.bed"),
        (r"C:\Users\anna\x.bed", "x.bed"),
        ("A/C/G/T, 1 / 2, and/or, 5'/3'", "A/C/G/T, 1 / 2, and/or, 5'/3'"),
        ("see https://host.org/a/b.html", "see https://host.org/a/b.html"),
        ("data/peaks.bed", "data/peaks.bed"),
        ("'/home/my name/x.bed'", "'x.bed'"),
        ("(/home/a/x.bed)", "(x.bed)"),
        ("no path", "no path"),
    ],
)
def test_sentences_call_files_by_their_names(text, expected):
    assert without_paths(text) == expected


@pytest.mark.parametrize(
    "path, name",
    [("/a/b.fa", "b.fa"), ("b.fa", "b.fa"), (r"C:\a\b.fa", "b.fa"), ("Group/sub", "sub"), ("/", "/"), ("a b/c", "c")],
)
def test_names_of_files_of_any_system(path, name):
    assert file_name(path) == name


def test_words_of_commands_lose_folders_of_the_maker():
    run = {
        "contributions": {
            "command": [
                "/usr/lib/zoo/__main__.py",
                "report",
                "./m",
                "/d/a.bed",
                "--genome=/d/g.fa",
                "-o",
                "../x/r.html",
            ]
        },
        "command": ["zoo", "motifs", "sub/c.h5", "--database", "jaspar:fungi", "--look-for", "poly(dA:dT)=AAAAAAAA"],
    }
    assert commands_of(run) == [
        "zoo report ./m a.bed --genome=g.fa -o r.html",
        "zoo motifs sub/c.h5 --database jaspar:fungi --look-for 'poly(dA:dT)=AAAAAAAA'",
    ]


def test_a_nested_mapping_is_a_row_a_value():
    facts = {"a": {"b_c": 1, "d": ["x", "y"]}, "e": [{"f": True}, {"f": None}], "g": None, "h": [[1, 2], [3]], "i": ""}
    assert rows_of(facts) == [("a, b c", "1"), ("a, d", "x, y"), ("e, 1, f", "yes"), ("h, 1", "1, 2"), ("h, 2", "3")]


def test_options_leave_out_what_stands_elsewhere():
    run = {
        "contributions": {
            "seed": 1,
            "notes": ["n"],
            "method": "ism",
            "windows": 5,
            "counts": {"padded": 0, "skipped": 2},
        },
        "window": 500,
        "versions": {"numpy": "2"},
    }
    assert option_rows(run) == [("windows", "5"), ("counts, skipped", "2"), ("window", "500")]


def test_no_folder_of_the_maker_is_in_the_page(asked, monkeypatch):
    """Wherever a record can hold a path: the page names files, and neither folders nor users."""
    home = "/home/secret/project"
    made = {
        **asked.run["contributions"],
        "command": [f"{home}/venv/bin/zoo", "attribute", f"{home}/model", f"{home}/a.bed", "-g", f"{home}/g.fa"],
        "model": {"name": f"{home}/model", "version": None, "sha256": {f"{home}/w.pth": "ab"}},
        "genome": {"path": f"{home}/g.fa", "total_bp": 5},
        "regions": {"path": f"{home}/a.bed", "sha256": "cd"},
        "references": {"kind": f"{home}/refs.npz", "n": 3},
        "options": {"references": f"{home}/refs.npz", "reading": {"settings": {"file": f"{home}/s.npz"}}},
        "notes": [f"{home}/a.bed: 3 regions were left out", f"see '{home}/my folder/x'"],
    }
    run = {**asked.run, "contributions": made, "contribs": f"{home}/c.h5", "command": ["zoo", "motifs", f"{home}/c.h5"]}
    run |= {"modisco_said": [f"wrote {home}/m.h5"], "database": f"{home}/db.meme"}
    monkeypatch.setattr("sys.argv", [f"{home}/bin/zoo", "report", f"{home}/m.h5", f"--genes={home}/genes.bed"])
    text = render(replace(asked, run=run))
    assert "secret" not in text and not re.search(r"[\"' ]/(home|tmp|root|Users)/", text)
    assert "zoo report m.h5 --genes=genes.bed" in text and "a.bed: 3 regions were left out" in text
