"""What a card may say of files that lie elsewhere, and of how far the entry was checked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from zoo.cards.schema import FileEntry, Verification

SHA = "0" * 64
SOURCE = {"reader": "pickle", "mirrors": ["https://host/w"], "sha256": SHA, "bytes": 3}
MADE = {"path": "w.safetensors", "tensors_sha256": SHA, "made_from": [SOURCE]}


def file(**changes):
    return {"path": "w.h5", "sha256": SHA, "bytes": 3} | changes


@pytest.mark.parametrize(
    "mirror",
    [
        "pypi:spliceai==1.3.1/spliceai/models/spliceai1.h5",
        "pypi:a.b-c==1!2.0+cpu/w",
        "https://raw.githubusercontent.com/owner/repo/0123/path/w.h5",
    ],
)
def test_mirrors(mirror):
    assert FileEntry(**file(mirrors=[mirror])).mirrors == [mirror]


@pytest.mark.parametrize(
    "mirror",
    [
        "pypi:spliceai/w.h5",
        "pypi:spliceai>=1/w.h5",
        "pypi:spliceai==1",
        "pypi:spliceai==1/",
        "pypi:--index-url==1/w",
        "pypi:spliceai==1/../w.h5",
        "pypi:spliceai==1/a/../../w.h5",
        "pypi:spliceai==1//etc/passwd",
        "pypi:spliceai==1/./w.h5",
        "pypi:spliceai==1/a\\w.h5",
        "pypi:spliceai==1/a b",
        "pypi:spliceai ==1/w",
        "file:///etc/passwd",
        "git+https://host/w",
    ],
)
def test_what_is_no_mirror(mirror):
    with pytest.raises(ValidationError):
        FileEntry(**file(mirrors=[mirror]))
    with pytest.raises(ValidationError):
        FileEntry(**MADE | {"made_from": [SOURCE | {"mirrors": [mirror]}]})


def test_a_made_file_has_sources_and_a_checksum_of_its_tensors():
    assert FileEntry(**MADE).made_from[0].prefix == ""
    for wrong in (
        {"tensors_sha256": None},
        {"made_from": []},
        {"sha256": SHA},
        {"bytes": 3},
        {"mirrors": ["https://host/w"]},
        {"path": "w.pth"},
        {"made_from": [SOURCE | {"reader": "joblib"}]},
        {"made_from": [SOURCE | {"mirrors": []}]},
        {"made_from": [{key: SOURCE[key] for key in SOURCE if key != "sha256"}]},
        {"made_from": [SOURCE | {"sha512": SHA}]},
    ):
        with pytest.raises(ValidationError):
            FileEntry(**MADE | wrong)


CHECKED = {"status": "verified", "against": "the original", "date": "2026-11-29", "command": "zoo test x"}


def test_verification_says_with_what_and_how_far():
    assert Verification(**CHECKED, largest_difference=1e-7).date.year == 2026
    assert Verification(status="unverified", note="not run here").against is None
    assert Verification(**CHECKED | {"status": "partly"}, largest_difference=0, note="one of five").note
    for wrong in (
        CHECKED,
        {"status": "verified"},
        CHECKED | {"status": "partly", "largest_difference": 0},
        {"status": "unverified"},
        {"status": "unverified", "note": "not run", "largest_difference": 0.1},
        CHECKED | {"largest_difference": -1},
        CHECKED | {"largest_difference": 0, "date": "yesterday"},
        {"status": "fine", "note": "?"},
    ):
        with pytest.raises(ValidationError):
            Verification(**wrong)
