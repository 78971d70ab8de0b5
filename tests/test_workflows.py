"""Workflows and forms of the repository: pinned, without secrets, and their steps are scripts that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_pinned_and_may_only_read(path):
    text = path.read_text()
    flow = yaml.safe_load(text)
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert uses and all(PINNED.fullmatch(line) for line in uses), uses
    assert flow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job and job["timeout-minutes"] <= 300 for job in flow["jobs"].values())
    # `on` is a truth value to YAML 1.1. A target event would run a fork's code with the repository's rights.
    assert set(flow[True]) <= {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert "secrets." not in text and "GITHUB_TOKEN" not in text
    for job in flow["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_steps_are_scripts_and_take_no_text_of_a_pull_request(path):
    """What a contributor writes (titles, branches) never becomes part of a command line."""
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands
    for command in commands:
        assert "${{" not in command and "\n" not in command.strip()
        script = next(word for word in command.split() if word.startswith("scripts/"))
        assert (ROOT / script).is_file()
        assert script.endswith(".py") or (ROOT / script).stat().st_mode & 0o111


def test_three_workflows_are_there():
    assert [path.name for path in WORKFLOWS] == ["entries.yml", "nightly.yml", "test.yml"]


def test_the_issue_form_has_what_github_asks_for():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/model.yml").read_text())
    assert form["name"] and form["description"]
    kinds = {"markdown", "input", "textarea", "checkboxes", "dropdown"}
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in form["body"]} <= kinds and len(ids) == len(set(ids)) >= 5
    assert all(part["attributes"]["label"] for part in form["body"] if part["type"] != "markdown")
