"""Put the entries of ``model_cards/`` into the wheel, where ``zoo/store/registry.py`` looks, and their index."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithEntries(build_py):
    """A checkout (editable install) reads ``model_cards/`` in place; a wheel carries a copy, and its index."""

    def run(self):
        super().run()
        if getattr(self, "editable_mode", False):
            return
        target = Path(self.build_lib) / "zoo" / "_entries"
        shutil.rmtree(target, ignore_errors=True)  # entries of an earlier build that are gone
        shutil.copytree("model_cards", target, ignore=shutil.ignore_patterns("__pycache__"))
        sys.path.insert(0, str(ROOT))
        from zoo.store.bundled import write_index

        write_index(target.parent / "index.json", target)


setup(cmdclass={"build_py": BuildWithEntries})
