"""What kipoi itself reads from YAML, as JSON; run as a program so that kipoi's imports stay out of the tests.

python kipoi_oracle.py source FOLDER [MOST]  every model and dataloader of a source, or at most so many of each group
python kipoi_oracle.py files KIND PATH ...   whether each file is accepted; KIND is model or dataloader
"""

from __future__ import annotations

import collections.abc
import contextlib
import json
import logging
import os
import sys


def main(arguments):
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(sys.stderr):
        found = of_source(*arguments[1:]) if arguments[0] == "source" else of_files(arguments[1], arguments[2:])
    json.dump(found, sys.stdout)


def of_source(folder, most=None):
    from kipoi.sources import LocalSource

    source = LocalSource(folder)
    names = {kind: source._list_components(kind) for kind in ("model", "dataloader")}
    found = {"models": {}, "dataloaders": {}, "names": names["model"], "dataloader_names": names["dataloader"]}
    for kind, read in (("model", source.get_model_descr), ("dataloader", source.get_dataloader_descr)):
        groups = {}
        for name in names[kind]:
            groups.setdefault(source._get_component_dir(name, kind), []).append(name)
        for group, members in groups.items():
            for name in spread(members, int(most or len(members))):
                with inside(group):
                    found[kind + "s"][name] = (model if kind == "model" else dataloader)(read(name))
    return found


def spread(names, most):
    """At most so many, the first and the last among them."""
    if len(names) <= most:
        return names
    return [names[i * (len(names) - 1) // (most - 1)] for i in range(most)]


def of_files(kind, paths):
    from kipoi.specs import DataLoaderDescription, ModelDescription

    accepted = []
    for path in paths:
        with inside(os.path.dirname(path)):
            try:
                (ModelDescription if kind == "model" else DataLoaderDescription).load(path)
            except Exception as error:
                accepted.append(str(error)[-200:])
            else:
                accepted.append(None)
    return accepted


@contextlib.contextmanager
def inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def model(descr):
    loader = descr.default_dataloader
    return {
        "defined_as": descr.defined_as,
        "type": descr.type,
        "args": plain(descr.args),
        "inputs": schemas(descr.schema.inputs),
        "targets": schemas(descr.schema.targets),
        "loader": loader if isinstance(loader, str) else [loader.defined_as, plain(loader.default_args)],
        "expect": plain(descr.test.expect),
        "precision": descr.test.precision_decimal,
        "conda": list(descr.dependencies.conda),
        "pip": list(descr.dependencies.pip),
        "authors": [one.name for one in descr.info.authors or []],
        "license": descr.info.license,
        "contributors": [one.name for one in descr.info.contributors or []],
        "tags": list(descr.info.tags),
        "version": str(descr.info.version),
        "doc": str(descr.info.doc),
    }


def dataloader(descr):
    return {
        "defined_as": descr.defined_as,
        "type": descr.type,
        "args": {
            name: {
                "doc": one.doc,
                "type": one.type,
                "optional": one.optional,
                "default": plain(one.default),
                "example": plain(one.example),
            }
            for name, one in descr.args.items()
        },
    }


def schemas(tree, path=()):
    """(path, shape, labels, special type) of every leaf."""
    if isinstance(tree, collections.abc.Mapping):
        return [leaf for key, part in tree.items() for leaf in schemas(part, (*path, key))]
    if isinstance(tree, list):
        return [leaf for i, part in enumerate(tree) for leaf in schemas(part, (*path, i))]
    labels = None if tree.column_labels is None else list(tree.column_labels)
    special = tree.special_type.value if tree.special_type else None
    return [[list(path), list(tree.shape), labels, special]]


def plain(value):
    """Remote files as {url, md5}, absent values as None."""
    name = type(value).__name__
    if name == "RemoteFile":
        return {"url": value.url, "md5": value.md5}
    if name == "UNSPECIFIED":
        return None
    if isinstance(value, collections.abc.Mapping):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(sys.argv[1:])
