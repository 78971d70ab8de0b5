"""Write zoo/data/assemblies.json: names, accessions and lengths of known chromosomes.

The numbers come from the tables that the Python package bioframe carries (MIT licence,
Open2C; taken from UCSC and NCBI). Only chromosomes and the mitochondrion are kept; patches,
alternative loci, unplaced scaffolds and decoys are left out.

    python scripts/make_assemblies.py            # write the file
    python scripts/make_assemblies.py --check    # exit 1 when the file on disk differs
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import re
import sys
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[1] / "zoo" / "data" / "assemblies.json"
COLUMNS = ["ucsc", "plain", "genbank", "refseq", "length", "other"]

#: Our name for each assembly, and what else it is called.
SYNONYMS = {
    "hg38": ["GRCh38"],
    "hg19": ["GRCh37", "b37", "hs37d5"],
    "hs1": ["T2T-CHM13v2.0", "CHM13v2.0", "chm13v2"],
    "mm10": ["GRCm38"],
    "mm39": ["GRCm39"],
    "danRer11": ["GRCz11"],
    "dm6": ["BDGP6"],
    "ce11": ["WBcel235"],
    "sacCer3": ["R64", "R64-1-1"],
}

#: "non-nuclear-revised" is the rCRS mitochondrion (chrMT) beside hg19's older chrM.
KEPT_UNITS = {"primary", "non-nuclear", "non-nuclear-revised"}

REFSEQ = re.compile(r"N[CTWG]_\d+\.\d+")
GENBANK = re.compile(r"[A-Z]{1,2}\d{5,8}\.\d+")


def chromosome_row(record: dict[str, str]) -> list:
    """One chromosome in the order of ``COLUMNS``, from a row of bioframe's table."""
    aliases = [alias for alias in record["aliases"].split(",") if alias]
    refseq = [alias for alias in aliases if REFSEQ.fullmatch(alias)]
    genbank = [alias for alias in aliases if GENBANK.fullmatch(alias)]
    names = [alias for alias in aliases if alias not in refseq + genbank]
    # bioframe lists a mitochondrion's plain name first ("MT", then "Mito" or "MtDNA").
    plain, other = names[:1], names[1:]
    return [
        record["name"],
        plain[0] if plain else None,
        genbank[0] if genbank else None,
        refseq[0] if refseq else None,
        int(record["length"]),
        other,
    ]


def add_yeast_numbers(rows: list[list]) -> None:
    """Let ``1``, ``chr1`` and ``chr01`` name yeast's chrI: some yeast files number in Arabic."""
    nuclear = [row for row in rows if row[0] != "chrM"]
    for number, row in enumerate(nuclear, start=1):
        row[-1].extend(dict.fromkeys([str(number), f"chr{number}", f"chr{number:02d}"]))


def read_assembly(name: str, folder: Path) -> list[list]:
    """The chromosomes of one assembly, in the order of bioframe's table."""
    with open(folder / f"{name}.seqinfo.tsv", newline="") as handle:
        records = list(csv.DictReader(handle, delimiter="\t"))
    rows = [
        chromosome_row(record) for record in records if record["role"] == "assembled" and record["unit"] in KEPT_UNITS
    ]
    if name == "sacCer3":
        add_yeast_numbers(rows)
    return rows


def render() -> str:
    """The whole JSON file as text, one chromosome a line."""
    spec = importlib.util.find_spec("bioframe")
    if spec is None or spec.origin is None:
        raise SystemExit("make_assemblies needs bioframe, which comes with gReLU: pip install bioframe")
    folder = Path(spec.origin).parent / "io" / "data"
    version = importlib.metadata.version("bioframe")
    blocks = []
    for name, synonyms in SYNONYMS.items():
        rows = ",\n".join("      " + json.dumps(row) for row in read_assembly(name, folder))
        blocks.append(
            f"    {json.dumps(name)}: {{\n"
            f'      "synonyms": {json.dumps(synonyms)},\n'
            f'      "chromosomes": [\n{rows}\n      ]\n    }}'
        )
    return (
        "{\n"
        f'  "source": "bioframe {version} (Open2C, MIT licence), by scripts/make_assemblies.py",\n'
        f'  "columns": {json.dumps(COLUMNS)},\n'
        '  "assemblies": {\n' + ",\n".join(blocks) + "\n  }\n}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the table of known assemblies.")
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    args = parser.parse_args()
    text = render()
    if args.check:
        same = OUTPUT.exists() and OUTPUT.read_text() == text
        print(f"{OUTPUT} {'is up to date' if same else 'differs'}", file=sys.stderr)
        return 0 if same else 1
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(text)
    print(f"{OUTPUT}: {len(text):,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
