"""What stands beside a result."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime

import pytest

from zoo.results.record import genome_fingerprint, write_run_record


def test_the_record_says_what_ran_and_what_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["zoo", "predict", "x"])
    before = datetime.now(UTC).replace(microsecond=0)
    path = write_run_record(tmp_path / "x.tsv", {"files": [tmp_path / "x.tsv"], "seconds": 1.5})
    record = json.loads(path.read_text())
    assert path == tmp_path / "x.tsv.run.json" and list(tmp_path.iterdir()) == [path]
    assert record["command"] == ["zoo", "predict", "x"]
    assert before <= datetime.fromisoformat(record["finished"]) <= datetime.now(UTC)
    assert record["versions"]["python"] == platform.python_version() and record["versions"]["seqzoo"]
    assert record["platform"].split()[0] == os.uname().sysname
    assert (record["files"], record["seconds"]) == ([str(tmp_path / "x.tsv")], 1.5)


def test_what_a_caller_says_counts_more(tmp_path):
    record = json.loads(write_run_record(tmp_path / "x", {"command": ["mine"]}).read_text())
    assert record["command"] == ["mine"]


def test_a_record_that_cannot_be_written_leaves_the_older_one(tmp_path):
    path = write_run_record(tmp_path / "x", {"n": 1})
    older = path.read_text()
    with pytest.raises(ValueError, match="Circular"):
        loop = []
        loop.append(loop)
        write_run_record(tmp_path / "x", {"n": loop})
    assert path.read_text() == older and list(tmp_path.iterdir()) == [path]


def test_a_genome_is_known_by_size_date_and_contigs(tmp_path):
    fasta = tmp_path / "g.fa"
    fasta.write_text(">a\nACGT\n")
    os.utime(fasta, (1000, 2000))
    (tmp_path / "link.fa").symlink_to(fasta)
    assert genome_fingerprint({"a": 4, "b": 6}, tmp_path / "link.fa") == {
        "path": str(fasta.resolve()),
        "bytes": 8,
        "modified": 2000.0,
        "contigs": 2,
        "total_bp": 10,
    }
