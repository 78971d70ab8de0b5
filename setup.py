"""Put the entries of ``model_cards/`` into the wheel, where ``zoo/store/registry.py`` looks for them."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithEntries(build_py):
    """A checkout (editable install) reads ``model_cards/`` in place; a wheel carries a copy."""

    def run(self):
        super().run()
        if not getattr(self, "editable_mode", False):
            target = Path(self.build_lib) / "zoo" / "_entries"
            shutil.copytree("model_cards", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithEntries})
