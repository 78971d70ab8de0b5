"""Measure attributions against gReLU's and tangermeme's own calls: ratios in one run on this machine.

    python -m scripts.bench.interpret                 # everything, some 15 minutes on two cores
    python -m scripts.bench.interpret --cases saliency deepliftshap --repeats 5

Each case runs a process for ours and for each peer in turn (A B C A B C ...), on one thread, and compares medians of
the CPU time (user + system) of the call alone, after a first call on little; ``interpret_calls.py`` has the
calls. Nets are those of ``nets.py`` with random weights, sequences are random, the peers come from the same
environment. Memory is the peak of whole ``zoo attribute`` processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scripts.bench.predict import BIN, ROOT, make_genome, make_regions, make_toy, run
from scripts.bench.rows import Row, limited, save

CALLS = "scripts.bench.interpret_calls"
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")}
#: Of ours to the better of the peers.
LIMIT = 1.1
#: Of one short sequence, and a narrow network whose single pass takes a seventh of the 211 together.
ONE_PASS_MORE = 1.5
NAMES = {"basset": "Basset-like, 600 bp", "beluga": "Beluga-like, 2,000 bp", "bpnet": "BPNet-like, 2,114 bp"}
#: Net -> times faster than full forward passes, and than tangermeme's fast.
ISM_LIMITS = {"basset": (12, 1.5), "beluga": (20, 1.7), "bpnet": (18, 4)}

#: Sequences of a call: a run captures a net once, for all of its sequences.
ISM_SEQUENCES = {"basset": 8, "beluga": 1, "bpnet": 12}


def called(*arguments: str) -> subprocess.CompletedProcess:
    """A process of ``interpret_calls``, on one thread."""
    done = subprocess.run(
        [sys.executable, "-m", CALLS, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(arguments[:3])}\n{done.stderr[-3000:]}")
    return done


def measure(case: str, who: str, net: str, n: int, folder: Path) -> tuple[float, np.ndarray]:
    """CPU-seconds a sequence, and what the call gave."""
    out = folder / f"{case}.{who}.npy"
    done = called(case, who, net, str(n), str(out))
    return json.loads(done.stdout.splitlines()[-1])["seconds"], np.load(out)


def in_turn(
    case: str, people: list[str], net: str, n: int, repeats: int, folder: Path
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Median CPU-seconds a sequence and arrays, by who; gReLU, whose import takes 8 s, once where it is not alone."""
    times: dict[str, list[float]] = {who: [] for who in people}
    arrays = {}
    for repeat in range(repeats):
        for who in people:
            if repeat and who == "gReLU" and len(people) > 2:
                continue
            one = case == "ism" and who in ("gReLU", "full")  # the slow ones, which prepare nothing for the others
            seconds, arrays[who] = measure(case, who, net, 1 if one else n, folder)
            times[who].append(seconds)
    return {who: statistics.median(found) for who, found in times.items()}, arrays


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, of the scale of the second."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def short(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def against_peers(case: str, n: int, compared: bool = True) -> Callable[[Path, int], list[Row]]:
    """Ours against the better peer; the arrays must be the same where they are the same quantity."""

    def rows(folder: Path, repeats: int) -> list[Row]:
        people = {
            "saliency": ["ours", "tangermeme", "gReLU"],
            "inputxgradient": ["ours", "tangermeme", "gReLU"],
            "integrated_gradients": ["ours", "gReLU"],
        }.get(case, ["ours", "tangermeme"])
        times, arrays = in_turn(case, people, "basset", n, repeats, folder)
        best = min(people[1:], key=times.get)
        ratio = times["ours"] / times[best]
        peers = ", ".join(f"{who} {short(times[who])}" for who in people[1:])
        found = [
            limited(f"{case}, a sequence: ours / {best}", f"ours {short(times['ours'])}, {peers}", ratio, f"<= {LIMIT}")
        ]
        if compared:
            apart = difference(arrays["ours"], arrays[people[1]])
            found.append(
                limited(f"{case}: largest difference to {people[1]}, of scale", f"{apart:.1e}", apart, "<= 1e-5")
            )
        return found

    return rows


def bench_deepliftshap(folder: Path, repeats: int) -> list[Row]:
    found = []
    for net, n, times_run in (("basset", 8, repeats), ("beluga", 3, 1)):
        people = ["ours", "tangermeme", "gReLU"] if net == "basset" else ["ours", "tangermeme"]
        times, arrays = in_turn("deepliftshap", people, net, n, times_run, folder)
        ratio, apart = times["tangermeme"] / times["ours"], difference(arrays["ours"], arrays["tangermeme"])
        peers = ", ".join(f"{who} {short(times[who])}" for who in people[1:])
        found += [
            limited(
                f"deepliftshap, 20 references, {NAMES[net]}: tangermeme / ours",
                f"ours {short(times['ours'])}, {peers}",
                ratio,
                ">= 1.7",
            ),
            limited(
                f"deepliftshap, {NAMES[net]}: largest difference to tangermeme, of scale",
                f"{apart:.1e}",
                apart,
                "<= 1e-5",
            ),
        ]
    return found


def bench_ism(net: str) -> Callable[[Path, int], list[Row]]:
    def rows(folder: Path, repeats: int) -> list[Row]:
        people = ["ours", "unchecked", "tangermeme", "full"] + (["gReLU"] if net == "basset" else [])
        n = ISM_SEQUENCES[net]
        times, arrays = in_turn("ism", people, net, n, repeats if net == "basset" else 1, folder)
        full, fast = times["full"] / times["ours"], times["tangermeme"] / times["unchecked"]
        most, least = ISM_LIMITS[net]
        scale = max(np.abs(arrays["full"]).max(), np.abs(arrays["tangermeme"]).max())  # of the output
        apart = float(np.abs(arrays["ours"] - arrays["tangermeme"]).max() / scale)
        grelu = f", gReLU {short(times['gReLU'])}" if "gReLU" in times else ""
        name = f"ism, {NAMES[net]}, {n} a call"
        return [
            limited(
                f"{name}: 3L + 1 full forwards (from 128 of them) / ours",
                f"ours {short(times['ours'])}, forwards {short(times['full'])}{grelu}",
                full,
                f">= {most}",
            ),
            # tangermeme checks one batch a call, ours 1% of the edits of every sequence: compared without.
            limited(
                f"{name}: tangermeme fast / ours without its check of each sequence",
                f"ours {short(times['unchecked'])}, tangermeme {short(times['tangermeme'])}",
                fast,
                f">= {least}",
            ),
            limited(f"{name}: largest difference to tangermeme, of the output", f"{apart:.1e}", apart, "<= 1e-5"),
        ]

    return rows


def bench_recurrent(folder: Path, repeats: int) -> list[Row]:
    """Nothing is spared where every step depends on the one before: no more than forward passes may be taken."""
    rows = []
    for net, layers in (("recurrent", "LSTMs"), ("recurrent-gru", "GRUs")):
        for width, n in ((32, 1), (32, 10), (32, 40), (96, 1)):
            name = net if width == 32 else f"{net}-{width}"
            ours, edits, forwards = in_one_process(name, n, max(3, repeats * 40 // n))
            name = f"ism, two bidirectional {layers} of {width}, 70 bp, {n} a call"
            compared = [(f"{name}: ours / 3L + 1 forwards", ours, LIMIT)]
            if n == 1 and width == 32:
                # All passes of one short sequence take so little that one more shows, which asks about the net.
                asked = f"{name}, asked whether it is a function: ours / 3L + 1 forwards"
                compared = [(f"{name}, unasked: ours / 3L + 1 forwards", edits, LIMIT), (asked, ours, ONE_PASS_MORE)]
            rows += [
                limited(case, f"ours {short(seconds)}, forwards {short(forwards)}", seconds / forwards, f"<= {limit}")
                for case, seconds, limit in compared
            ]
    explained, _ = in_turn("deepliftshap", ["ours"], "recurrent", 40, repeats, folder)
    forward = in_one_process("recurrent", 10, repeats)[2] / 211
    return [
        *rows,
        limited(
            "deepliftshap, two bidirectional LSTMs, a reference: ours / a forward pass in a batch",
            f"ours {short(explained['ours'] / 20)}, forward {short(forward)}",
            explained["ours"] / 20 / forward,
            "<= 50",
        ),
    ]


def in_one_process(net: str, n: int, repeats: int) -> tuple[float, ...]:
    """Median CPU-seconds a sequence of ``ism``, of its edits unasked, and of their forward passes, run in turn."""
    done = called("in turn", str(repeats), net, str(n), "-")
    return tuple(map(statistics.median, json.loads(done.stdout.splitlines()[-1])))


def bench_memory(folder: Path, repeats: int) -> list[Row]:
    """Peak memory of the command for 20 times more regions."""
    genome, toy = make_genome(folder), make_toy(folder)
    rows = []
    for method, many, suffix, more in (
        ("saliency", 20_000, "h5", ()),
        ("deepliftshap", 10_000, "h5", ("--references", "2")),
        ("saliency", 10_000, "bw", ()),
    ):
        few = many // 20
        peaks = []
        for n in (many, few):
            command = [
                str(BIN / "zoo"),
                "attribute",
                str(toy),
                str(make_regions(folder, n)),
                "-g",
                str(genome),
                "-o",
                f"memory.{suffix}",
                "-q",
                "--trust",
                "--method",
                method,
                *more,
            ]
            peaks.append(run(command, folder).peak_mb)
        ratio = peaks[0] / peaks[1]
        rows.append(
            limited(
                f"peak memory, {method} of {many:,} / {few:,} regions to .{suffix}",
                f"{peaks[0]:.0f} / {peaks[1]:.0f} MB",
                ratio,
                "<= 1.2",
            )
        )
    return rows


CASES: dict[str, Callable[[Path, int], list[Row]]] = {
    "saliency": against_peers("saliency", 64),
    "inputxgradient": against_peers("inputxgradient", 64),
    "integrated_gradients": against_peers("integrated_gradients", 8),
    "deepliftshap": bench_deepliftshap,
    "ism-basset": bench_ism("basset"),
    "ism-beluga": bench_ism("beluga"),
    "ism-bpnet": bench_ism("bpnet"),
    "recurrent": bench_recurrent,
    "ablation": against_peers("ablation", 4, compared=False),
    "marginalize": against_peers("marginalize", 128),
    "memory": bench_memory,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=CASES,
        default=list(CASES),
        metavar="NAME",
        help=f"cases to run: {', '.join(CASES)}",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for genome and results; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the table as JSON too, for build_readme.py")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as temporary:
        folder = (arguments.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.cases:
            for row in CASES[name](folder, arguments.repeats):
                rows.append(row)
                print(row.line(80, 52), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
