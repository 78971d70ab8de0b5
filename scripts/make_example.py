"""Make the example of an entry of seeded random bases: ``example/{genome.fa,genome.fa.fai,regions.bed,expected.h5}``.

    python -m scripts.make_example spliceai --seed 1 --regions 4 --strand

Weights come from the cache, or are fetched. What the card's ``files`` may record of the files is printed.
"""

from __future__ import annotations

import argparse
import sys

import yaml

from zoo.entries.example import KEEP, make_example
from zoo.errors import ZooError
from zoo.store.registry import members_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="bundled entry or group, or a folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--regions", type=int, default=4)
    parser.add_argument(
        "--strand", action="store_true", help="every second region on -, for models that read the strand"
    )
    parser.add_argument("--keep", type=int, default=KEEP, help=f"predictions of an output to keep; default {KEEP}")
    given = vars(parser.parse_args())
    try:
        name = given.pop("name")
        for one in members_of(name) or [name]:
            files = make_example(one, **given)
        sys.stdout.write(yaml.safe_dump(files, sort_keys=False))
    except ZooError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
