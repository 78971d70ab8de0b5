"""What is said at the end of `zoo motifs` and `zoo report`, and how a terminal, a pipe and -q see a run."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from dataclasses import replace

import numpy as np
import pytest

from interpret.motifs.grades import grade_patterns
from interpret.motifs.pattern import Effect
from interpret.report.ending import LINES, ending, facts_of
from interpret.report.numbers import row_of
from interpret.report.sentence import sentence
from zoo.cli import run


def test_the_first_line_is_the_page_s_sentence(asked):
    from interpret.report.page import render

    first = ending(asked)[0]
    rows = [row_of(asked, index, name) for index, name in enumerate(grade_patterns(asked))]
    assert first == sentence(asked, rows, "the predicted score")
    assert first in re.sub(r"\s+", " ", render(asked))


def test_effects_with_their_intervals_and_counts(asked):
    """1, 2, 3: mean 2, standard deviation 1, t of two degrees of freedom 4.303: 2 ± 2.484."""
    line = next(line for line in ending(asked) if line.startswith("+1 "))
    hits = int((asked.hits.pattern == 0).sum())
    regions = len(np.unique(asked.hits.sequence[asked.hits.pattern == 0]))
    label = grade_patterns(asked)[0].label
    assert (
        "ABF1" in label
        and line == f"+1 {label}: effect +2 (-0.484 to 4.48), {hits} hits in {regions / 360:.0%} of 360 regions"
    )
    unmeasured = next(line for line in ending(asked) if line.startswith("+2 "))
    assert "contribution +" in unmeasured and "effect" not in unmeasured


def test_the_same_facts_as_data(asked):
    """1, 2, 3 again: 2 ± 4.303 / √3, with all digits; patterns in the order of the lines."""
    told, lines = facts_of(asked), ending(asked)
    assert told["sentence"] == lines[0] and told["regions"] == 360 and told["looked_for"] == []
    shown = [line.split()[0] for line in lines if re.match(r"[+-]\d+ ", line)]
    assert [one["called"] for one in told["patterns"]][: len(shown)] == shown
    first = next(one for one in told["patterns"] if one["called"] == "+1")
    assert first["effect"] == pytest.approx({"mean": 2, "low": 2 - 4.302653 / 3**0.5, "high": 2 + 4.302653 / 3**0.5})
    assert first["hits"] == int((asked.hits.pattern == 0).sum()) and "ABF1" in first["name"]
    assert next(one for one in told["patterns"] if one["called"] == "+2")["effect"] is None


def test_names_of_subpatterns_are_told_behind_the_pattern(including):
    """The first sentence says that a motif includes ABF1: the lines say which, and count it among those with a name."""
    line = next(line for line in ending(including) if line.startswith("+1 "))
    assert line.startswith("+1 no name (subpattern ABF1): effect +2 ") and "includes ABF1" in ending(including)[0]
    first = next(one for one in facts_of(including)["patterns"] if one["called"] == "+1")
    assert (first["name"], first["grade"], first["includes"]) == (None, "none", ["ABF1"])
    assert all(one["includes"] == [] for one in facts_of(including)["patterns"] if one["called"] != "+1")


def test_without_effects_and_hits(asked):
    lines = ending(replace(asked, effects=None, hits=None, explained=None))
    assert all("effect" not in line and "hits" not in line for line in lines)
    assert any(f"{len(asked.patterns[0].seqlets)} seqlets in" in line for line in lines)


def test_looked_for(asked):
    last = ending(asked, ["ABF1", "XYZ", "site=CGTATAAA"])[-1]
    found, absent = last.split("; ", 1)
    assert re.fullmatch(r"looked for and found: ABF1 \(\+1, q [\d.e-]+(, name not earned)?\), site \(\+1\)", found)
    assert re.fullmatch(r"not in JASPAR2026 CORE fungi: XYZ( \(near names: .*\))?", absent)
    assert ending(asked, ["CBF1"])[-1] == "looked for and found: none; not found: CBF1"
    assert not any("looked for" in line for line in ending(asked))


def test_of_many_patterns_all_that_earn_a_name_are_told(many_patterns):
    many_patterns = replace(many_patterns, explained=None)  # which is of three patterns
    names = grade_patterns(many_patterns)
    lines = [line for line in ending(many_patterns) if re.match(r"[+-]\d+ ", line)]
    known = sum(name.known for name in names)
    assert len(lines) == max(known, min(LINES, len(names)))
    if left := len(names) - len(lines):
        assert f"and {left} patterns without an earned name" in ending(many_patterns)


def test_no_pattern(asked):
    nothing = replace(asked, patterns=(), hits=None, enrichment=None, effects=None, explained=None)
    assert len(ending(nothing)) == 1 and "no pattern in 360 regions" in ending(nothing)[0]


def test_a_tiny_effect_is_plain_text(asked):
    """Nothing of HTML, no sign that a terminal may lack."""
    tiny = {p.name: Effect("ACGT", np.array([-1e-6, -2e-6, -3e-6], np.float32)) for p in asked.patterns}
    text = "\n".join(ending(replace(asked, effects=tiny)))
    assert "effect -2e-06 (" in text and text.isascii() and "<" not in text


def test_the_commands_say_it_and_quiet_ones_do_not(found, planted, tmp_path, capsys):
    page = str(tmp_path / "r.html")
    assert run(["report", str(found.path), "--look-for", "ABF1", "-o", page]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == [f"zoo: {line}" for line in ending(found, ["ABF1"])] and lines[-1].endswith(page)
    assert "\x1b" not in "".join(lines)
    assert run(["report", str(found.path), "-q", "-o", page]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.long
@pytest.mark.slow
def test_forty_columns(planted, tmp_path):
    """On a pseudo-terminal of 40 columns no line that is written over is wider, and notes take its place."""
    out = str(tmp_path / "m.h5")
    arguments = ["-m", "zoo", "motifs", str(planted.path), "--database", "jaspar:fungi", "-o", out]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    said = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = said.decode()
    drawn = re.findall(r"([^\r\n]*)\x1b\[K\r", text)
    assert drawn and max(map(len, drawn)) < 40 and all(line.startswith("zoo: TF-MoDISco") for line in drawn)
    notes = [line for line in re.split(r"\r?\n", text) if "; matching with" in line]
    assert notes and notes[0].split("\x1b[K\r")[-1].startswith("\x1b[2K\rzoo: ")
    assert re.search("zoo: [+]1 [^:]*ABF1: ", text)
