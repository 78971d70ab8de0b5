"""Fill the blocks of README.md and docs/ that commands make: demo, tour, metrics, models, benchmarks.

python scripts/build_readme.py                       # demo, metrics and models
python scripts/build_readme.py --tour ../shared/data # what the README's commands print, on yeast
python scripts/build_readme.py --models              # the table of models alone, by what their cards say
python scripts/build_readme.py --bench bench.json    # after: python -m scripts.bench.predict --json bench.json
python scripts/build_readme.py --bench-interpret b.json  # after: python -m scripts.bench.interpret --json b.json
python scripts/build_readme.py --bench-recurrent r.json   # the same with --cases recurrent
python scripts/build_readme.py --bench-finetune tracks.json finetune.json   # scripts.bench.tracks and finetune --json
python scripts/build_readme.py --bench-variants v.json s.json   # scripts.bench.variants and saturate --json
python scripts/build_readme.py --shown own-mark=own.md   # a block by what its command printed; may be repeated
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from zoo.store.registry import entries, find_entry

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def pages() -> list[Path]:
    """The pages that have blocks."""
    return [README, *sorted((ROOT / "docs").glob("*.md"))]


def demo() -> str:
    """What ``bootstrap.py demo`` prints once it is installed."""
    command = [sys.executable, "scripts/bootstrap.py", "demo"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "110"},
    )
    return f"```text\n{done.stdout.rstrip()}\n```"


TOUR = ("tour-predict", "tour-report", "tour-finetune", "tour-variant")


def tour(data: Path) -> dict[str, str]:
    """What the commands of the README's blocks print, typed in a folder with yeast's promoters and fragments.

    Args:
        data: folder with ``d09_yeast``: ``genes.bed.gz`` and the fragments of SRR1822137.
    """
    text = README.read_text(encoding="utf-8")
    shown = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tour_files(data, folder)
        (folder / "run.yaml").write_text(re.search(r"```yaml\n(base: .*?)```", text, re.DOTALL)[1])
        for block in TOUR:
            inside = re.search(rf"<!-- begin {block} -->\n(.*?)<!-- end {block} -->", text, re.DOTALL)[1]
            typed = [line[2:] for line in inside.splitlines() if line.startswith("$ ")]
            printed = [f"$ {command}\n{typed_in(folder, command)}" for command in typed]
            shown[block] = "```console\n" + "".join(printed) + "```"
    return shown


def tour_files(data: Path, folder: Path) -> None:
    """peaks.bed: 500 bp before 300 genes drawn by a seed; fragments.bed.gz: chrom, start, end."""
    with gzip.open(data / "d09_yeast/genes.bed.gz", "rt") as table:
        genes = [line.rstrip("\n").split("\t") for line in table]
    rows = []
    for chrom, start, end, name, _, strand in (gene[:6] for gene in genes):
        at = int(start) - 500 if strand == "+" else int(end)
        if at > 2_000 and chrom != "chrM":
            rows.append((chrom, at, at + 500, name))
    rows = sorted(random.Random(0).sample(rows, 300))
    (folder / "peaks.bed").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    with (
        gzip.open(data / "d09_yeast/atac_fragments_SRR1822137.bedpe.gz", "rt") as table,
        gzip.open(folder / "fragments.bed.gz", "wt") as made,
    ):
        made.writelines("\t".join(line.rstrip("\n").split("\t")[:3]) + "\n" for line in table)


def typed_in(folder: Path, command: str) -> str:
    """What a command prints, both streams, in a terminal of 110 columns."""
    cache = {} if os.environ.get("ZOO_CACHE") else {"ZOO_CACHE": str(folder / "cache")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | cache | {"COLUMNS": "110", "PATH": path, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode not in (0, 141):  # 141: head has read enough
        raise SystemExit(f"{command}\n{done.stdout}")
    progress = re.compile(r"zoo: .* of .* windows \(\d+%\).*\n")  # where a machine is slow
    here = os.environ.get("ZOO_CACHE") or str(folder / "cache")
    return progress.sub("", done.stdout).replace(here, "~/.cache/seqzoo").replace(str(folder), ".")


def metrics() -> str:
    """The evaluation of the bundled model, a row a metric, as the index has it from the card."""
    _, entry = find_entry("yeast-atac")
    rows: dict[str, dict] = {}
    for item in entry["evaluation"]:
        row = rows.setdefault(item["metric"], {"item": item, "baselines": []})
        if item.get("baseline"):
            row["baselines"].append(f"{item['baseline']['value']:.2f} {item['baseline']['name']}")
    lines = ["| Metric | Value | 95% interval | n | Baselines |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        item = row["item"]
        low, high = item["ci"]
        lines.append(
            f"| `{name}` | {item['value']:.3f} | {low:.2f} to {high:.2f} | {item['n']:,} "
            f"| {'; '.join(row['baselines'])} |"
        )
    return "\n".join(lines) + f"\n\nMade by `{entry['evaluation'][0]['command']}`."


HEADER = ["Entry", "Predicts", "Weights from", "Checked against", "Largest difference"]


def models() -> str:
    """The bundled entries whose cards say how far they were checked, a row an entry or a group."""
    rows: dict[str, list[dict]] = {}
    for entry in entries():
        if entry.get("verification"):
            rows.setdefault(entry["group"] or entry["name"], []).append(entry)
    table = [HEADER, ["---"] * len(HEADER), *(_model_row(group, members) for group, members in sorted(rows.items()))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def _model_row(group: str, members: list[dict]) -> list[str]:
    """The cells of an entry; of a group, those of the member with the largest difference, and how many were checked."""
    checked = [one for one in members if one["verification"]["status"] != "unverified"]
    shown = max(checked or members, key=lambda one: one["verification"].get("largest_difference") or 0)
    alone = len(members) == 1
    name = f"`{shown['name']}`" if alone else f"`{group}`, {len(members):,} entries, such as `{shown['name']}`"
    hosts = "; ".join(dict.fromkeys(file["hosts"] for file in shown["remote"])) or "this repository"
    if not checked:
        return [name, _cell(shown["summary"]), hosts, "not checked yet", "-"]
    found = shown["verification"]
    counted = "" if alone else "each: " if len(checked) == len(members) else f"{len(checked):,} of them: "
    part = f" ({_cell(found['note'])})" if alone and found["status"] == "partly" else ""
    difference = f"{found['largest_difference']:.1g}"
    against = _common([_cell(one["verification"]["against"]) for one in checked])
    return [name, _cell(shown["summary"]), hosts, f"{counted}{against}{part}", difference]


def _common(texts: list[str]) -> str:
    """What the members of a group were all compared with: the parts between commas that they share, from the first."""
    parts = [text.split(", ") for text in texts]
    same = [part[0] for part in zip(*parts, strict=False) if len(set(part)) == 1]
    return ", ".join(same) or texts[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def bench(*paths: Path) -> str:
    """The table of what the programs of ``scripts/bench/`` wrote with ``--json``."""
    lines = ["| Case | Measured | Ratio | Limit |", "|---|---|---|---|"]
    for row in [row for path in paths for row in json.loads(path.read_text())]:
        note = "" if row["ok"] in (True, None) else " (missed)"
        lines.append(f"| {row['case']} | {row['measured']} | {row['ratio']:.2f} | {row['limit']}{note} |")
    return "\n".join(lines)


def fill(text: str, block: str, content: str) -> str:
    """Replace what stands between the marks of a block.

    Raises:
        SystemExit: the text has the block not once.
    """
    pattern = re.compile(rf"(<!-- begin {block} -->\n).*?(<!-- end {block} -->)", re.DOTALL)
    filled, count = pattern.subn(lambda match: f"{match[1]}{content}\n{match[2]}", text)
    if count != 1:
        raise SystemExit(f"{count} blocks {block!r} where there should be one")
    return filled


def page_of(block: str) -> Path:
    """The page that has a block."""
    found = [page for page in pages() if f"<!-- begin {block} -->" in page.read_text(encoding="utf-8")]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} pages have a block {block!r}")
    return found[0]


def write(block: str, content: str) -> None:
    """Fill a block where it stands."""
    page = page_of(block)
    page.write_text(fill(page.read_text(encoding="utf-8"), block, content), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", action="store_true", help="the table of models alone")
    parser.add_argument("--tour", type=Path, metavar="DATA", help="what the README's commands print; the shared data")
    parser.add_argument("--bench", type=Path, help="result of scripts/bench/predict.py --json")
    parser.add_argument("--bench-interpret", type=Path, help="result of scripts/bench/interpret.py --json")
    parser.add_argument("--bench-recurrent", type=Path, help="the same of --cases recurrent")
    parser.add_argument("--bench-finetune", type=Path, nargs="+", help="of scripts/bench/tracks.py and finetune.py")
    parser.add_argument("--bench-variants", type=Path, nargs="+", help="of scripts/bench/variants.py and saturate.py")
    parser.add_argument("--shown", action="append", default=[], metavar="BLOCK=FILE", help="what a command printed")
    arguments = parser.parse_args()
    of_explaining = (arguments.bench_interpret, arguments.bench_recurrent)
    benches = (arguments.bench, *of_explaining, arguments.bench_finetune, arguments.bench_variants)
    if not any((*benches, arguments.shown, arguments.tour)):
        if not arguments.models:
            write("demo", demo())
            write("metrics", metrics())
        write("models", models())
    if arguments.tour:
        for block, content in tour(arguments.tour).items():
            write(block, content)
    if arguments.bench:
        write("bench", bench(arguments.bench))
    if arguments.bench_interpret:
        write("bench-interpret", bench(arguments.bench_interpret))
    if arguments.bench_recurrent:
        write("bench-recurrent", bench(arguments.bench_recurrent))
    if arguments.bench_finetune:
        write("bench-finetune", bench(*arguments.bench_finetune))
    if arguments.bench_variants:
        write("bench-variants", bench(*arguments.bench_variants))
    for shown in arguments.shown:
        block, _, path = shown.partition("=")
        write(block, Path(path).read_text(encoding="utf-8").strip())


if __name__ == "__main__":
    main()
