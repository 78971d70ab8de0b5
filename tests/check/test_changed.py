"""What a branch changes is checked, and nothing else; a pull request with a model touches only its folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_entries import edit_card, good_entry, record

from zoo.check.changed import changes_since
from zoo.check.check import check
from zoo.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one good entry on main; the branch is checked out."""
    root = tmp_path / "repository"
    (root / "model_cards").mkdir(parents=True)
    good_entry(root / "model_cards/counts")
    (root / "code.py").write_text("x = 1\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "checkout", "-qb", "branch")
    monkeypatch.chdir(root)
    return root


def test_a_change_that_touches_no_entry_runs_none(repository):
    (repository / "code.py").write_text("x = 2\n")
    report = check(changed="main", level="reproduces")
    assert (report.results, report.code) == ([], 0)
    assert report.summary() == "no entry is changed: nothing was checked"


def test_a_new_entry_alone_is_checked_alone(repository):
    good_entry(repository / "model_cards/gc", "gc")
    report = check(changed="main")
    assert [one.name for one in report.results] == ["gc"] and report.code == 0, report.findings
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    assert [one.name for one in check(changed="main").results] == ["gc"]


def test_a_new_entry_with_changes_elsewhere_is_refused(repository):
    good_entry(repository / "model_cards/gc", "gc")
    (repository / "code.py").write_text("x = 2\n")
    report = check(changed="main")
    assert [(one.rule, one.severity) for one in report.general] == [("scope", "error")] and report.code == 4
    assert report.general[0].what == "beside gc, 1 file outside of its folder is changed: code.py"


def test_a_new_entry_beside_another_is_refused_one_a_pull_request(repository):
    """CONTRIBUTING: one new folder and nothing else; entries that are there may be edited together."""
    good_entry(repository / "model_cards/gc", "gc")
    path = repository / "model_cards/counts/README.md"
    path.write_text(path.read_text() + "\nMore prose.\n")
    report = check(changed="main")
    assert [(one.rule, one.severity, one.what) for one in report.general] == [
        ("scope", "error", "beside the new gc: counts is changed")
    ]
    assert report.code == 4 and report.general[0].fix.startswith("one entry a pull request")
    git(repository, "checkout", "-q", "--", "model_cards/counts")
    good_entry(repository / "model_cards/more-gc", "gc")
    assert [one.what for one in check(changed="main").general] == ["beside the new gc: more-gc is new too"]
    shutil.rmtree(repository / "model_cards/more-gc")
    git(repository, "rm", "-qr", "model_cards/counts")
    assert [one.what for one in check(changed="main").general][1:] == ["beside the new gc: counts is removed"]


@pytest.mark.parametrize("told", [True, False], ids=["git mv", "mv"])
def test_an_entry_that_is_renamed_is_said_to_be(repository, told):
    cards = repository / "model_cards"
    if told:
        git(repository, "mv", "model_cards/counts", "model_cards/tallies")
    else:
        (cards / "counts").rename(cards / "tallies")
    edit_card(cards / "tallies", lambda card: card.update(name="tallies"))
    found = changes_since("main")
    assert (found.renamed, found.removed, found.new) == ({"counts": "tallies"}, ("counts",), {"tallies"})
    report = check(changed="main")
    assert [(one.rule, one.severity) for one in report.general] == [("gone", "warning")]
    assert report.general[0].what.startswith("counts is now called tallies")
    assert report.general[0].fix.startswith("keep counts as it is, with `deprecated: {by: tallies")
    assert [one.name for one in report.results] == ["tallies"]


def test_an_old_entry_with_changes_of_code_is_a_matter_for_a_reviewer(repository):
    path = repository / "model_cards/counts/README.md"
    path.write_text(path.read_text() + "\nMore prose.\n")
    (repository / "new.py").write_text("x = 2\n")
    report = check(changed="main")
    assert [(one.rule, one.severity) for one in report.general] == [("scope", "warning")] and report.code == 0


def test_a_version_with_other_bytes_is_refused_until_it_is_raised(repository):
    folder = repository / "model_cards/counts"
    torch.save({"scale": torch.ones(1) * 2}, folder / "weights.pth")
    record(folder)
    found = [one for one in check(changed="main").findings if one.severity == "error"]
    assert [one.rule for one in found] == ["version"]
    assert found[0].what == "version 1.0.0 was published with other bytes of weights.pth"
    assert found[0].line == 1 + (folder / "README.md").read_text().splitlines().index("version: 1.0.0")
    edit_card(folder, lambda card: card.update(version="1.1.0"))
    assert check(changed="main").code == 0


def test_an_older_version_is_what_was_published_and_nothing_else(repository):
    """Moved as it was it passes, with another card too; a changed file, a new one and an invented version do not."""
    folder = repository / "model_cards/counts"
    older = folder / "versions/1.0.0"
    shutil.copytree(folder, repository.parent / "as-it-was")
    shutil.copytree(repository.parent / "as-it-was", older)
    edit_card(folder, lambda card: card.update(version="1.1.0"))
    edit_card(older, lambda card: card.update(withdrawn="labels were shifted"))
    assert check(changed="main").code == 0
    (older / "more.py").write_text("x = 1\n")
    (older / "weights.pth").unlink()
    (older / "weights.pth").symlink_to("/etc/passwd")
    (found,) = [one for one in check(changed="main").findings if one.severity == "error"]
    assert found.what == "versions/1.0.0 has 2 files that version 1.0.0 was not published with"
    assert (found.rule, found.fix) == ("version", "move that version there as it was: more.py, weights.pth")
    shutil.rmtree(older)
    shutil.copytree(repository.parent / "as-it-was", folder / "versions/0.9.0")
    (found,) = [one for one in check(changed="main").findings if one.severity == "error"]
    assert found.what.startswith("versions/0.9.0 has ") and found.what.endswith("0.9.0 was not published with")


def test_entries_that_are_gone_and_those_of_main_since_are_not_checked(repository):
    git(repository, "checkout", "-q", "main")
    good_entry(repository / "model_cards/of-main", "gc")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "main goes on")
    git(repository, "checkout", "-q", "branch")
    git(repository, "rm", "-qr", "model_cards/counts")
    found = changes_since("main")
    assert (found.entries, found.removed, found.new) == ((), ("counts",), frozenset())
    report = check(changed="main")
    assert [(one.rule, one.severity, one.entry) for one in report.general] == [("gone", "warning", "counts")]
    assert report.code == 0 and report.summary() == "1 entry is removed, no other is changed: nothing was checked"


@pytest.mark.parametrize("base", ["no-such-branch", "--output=/tmp/x"])
def test_a_base_that_is_no_commit_is_refused(repository, base):
    with pytest.raises(UsageError, match="--changed"):
        check(changed=base)


@pytest.mark.slow
def test_a_pull_request_with_a_model_touches_only_its_folder(tmp_path):
    """In a clone of this repository: the list knows the entry, the script of the workflow passes it, the tests of the
    table hold, and git sees one new folder."""
    clone = tmp_path / "clone"
    git(ROOT, "clone", "-q", "--shared", str(ROOT), str(clone))
    base = git(clone, "rev-parse", "HEAD").strip()
    good_entry(clone / "model_cards/toy-counts")
    environment = os.environ | {"PYTHONPATH": str(clone), "ZOO": f"{sys.executable} -m zoo"}
    environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the clone is compiled once for all of these processes

    def run(*words):
        return subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True, check=False)

    done = run("scripts/ci/check_changed.sh", base, str(tmp_path / "report"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 entry checked, level reproduces: no errors" in done.stdout
    report = json.loads((tmp_path / "report/check.json").read_text())
    assert [one["name"] for one in report["entries"]] == ["toy-counts"] and report["exit_code"] == 0
    assert (tmp_path / "summary.md").read_text() == (tmp_path / "report/check.md").read_text()
    assert "| `toy-counts` | `1.0.0` | ok | ok | ok |" in (tmp_path / "summary.md").read_text()
    assert "toy-counts" in run(sys.executable, "-m", "zoo", "list").stdout
    alone = ["--noconftest", "-n", "0", "-p", "no:cacheprovider"]
    done = run(sys.executable, "-m", "pytest", "-q", *alone, "tests/test_readme_models.py")
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout[-3000:]
    assert git(clone, "status", "--porcelain").splitlines() == ["?? model_cards/toy-counts/"]
