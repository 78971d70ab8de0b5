"""Hashes of the Lambdas of published models under several Pythons: HASHES of ``zoo/models/keras/published_lambdas.py``.

    python hash_lambdas.py /root/.pyenv/versions/*/bin/python

Compiles ``published_lambda_sources.py`` with each interpreter, calls nothing of it, and prints name, hash and pythons.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess

import click
from published_lambda_sources import SOURCES

from zoo.models.keras.bytecode import normal_form, read_code

MARSHAL = """
import base64, json, marshal, sys
found = []
for text in json.load(sys.stdin):
    names = {}
    exec(compile(text, "<published>", "exec"), names)
    found.append(base64.b64encode(marshal.dumps(names["f"].__code__)).decode())
print(json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="+")
    texts = [(name, text) for name, versions in SOURCES.items() for text in versions]
    found: dict[tuple[str, str], list[str]] = {}
    for python in parser.parse_args().pythons:
        given = json.dumps([text for _, text in texts])
        result = subprocess.run([python, "-c", MARSHAL], input=given, capture_output=True, text=True, check=True)
        for (name, _), code in zip(texts, json.loads(result.stdout), strict=True):
            read = read_code(base64.b64decode(code))
            if read is not None:  # Python 2 writes another form
                found.setdefault((name, normal_form(read)), []).append(python)
    for (name, digest), pythons in sorted(found.items()):
        click.echo("\t".join([name, digest, *pythons]))


if __name__ == "__main__":
    main()
