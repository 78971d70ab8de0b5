"""The files that the page is made of: all packaged and used, none can break out, a missing value is an error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from setuptools import Distribution

from interpret.report.page import templates

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / "interpret" / "report" / "assets"
NAMES = sorted(path.name for path in ASSETS.iterdir())


def test_a_wheel_contains_the_assets(monkeypatch):
    """What setuptools copies into a wheel beside the modules, by the configuration in pyproject.toml."""
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files()
    distribution.include_package_data = False  # what git tracks would be looked up, and written into a folder
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    found = {str(Path(folder) / file) for _, folder, _, files in build.data_files for file in files}
    packaged = {name for name in NAMES if f"interpret/report/assets/{name}" in found}
    assert packaged == set(NAMES) >= {"page.html", "style.css", "table.js", "regions.js"}


def test_every_asset_is_part_of_the_page():
    used, left = set(), ["page.html", "compare.html"]
    while left:
        used.add(left[-1])
        text = (ASSETS / left.pop()).read_text(encoding="utf-8")
        left += re.findall(r'(?:include|asset\()\s*"([^"]+)"', text)
    assert used == set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".html")])
def test_scripts_and_styles_cannot_end_their_element(name):
    text = (ASSETS / name).read_text(encoding="utf-8")
    assert "</" not in text and "<!--" not in text and "http" not in text and "@import" not in text


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".html")])
def test_templates_escape_all_that_they_are_given(name):
    """No template says that something is safe, and each attribute with a value from outside has quotes."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    assert not re.search(r"=\{\{", text)


def test_a_value_that_is_not_given_is_an_error():
    with pytest.raises(UndefinedError):
        templates().from_string("{{ nothing }}").render()
    with pytest.raises(UndefinedError, match="'views' is undefined"):
        templates().get_template("regions.html").render()


def test_text_is_escaped_and_json_is_compact():
    given = templates().from_string("<a b=\"{{ x }}\">{{ x }}</a>{{ {'b': [1, x], 'a': 2} | tojson }}")
    text = given.render(x="\"<'&")
    assert text.startswith('<a b="&#34;&lt;&#39;&amp;">&#34;&lt;&#39;&amp;</a>{"b":[1,')
    assert json.loads(text.split("</a>")[1]) == {"b": [1, "\"<'&"], "a": 2}


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".js")])
def test_scripts_look_only_for_what_the_templates_have(name):
    """Each id that a script asks for is in a template; the glyphs' are in the drawing."""
    html = "".join((ASSETS / other).read_text(encoding="utf-8") for other in NAMES if other.endswith(".html"))
    asked = set(re.findall(r"\$\('#([a-z]+)'\)", (ASSETS / name).read_text(encoding="utf-8")))
    there = set(re.findall(r'id="([a-z]+)"', html))
    assert asked and asked <= there


def test_every_class_of_the_templates_has_a_style():
    style = "".join((ASSETS / name).read_text(encoding="utf-8") for name in NAMES if name.endswith(".css"))
    html = "".join((ASSETS / name).read_text(encoding="utf-8") for name in NAMES if name.endswith(".html"))
    classes = {word for group in re.findall(r'class="([a-zA-Z ]+)"', html) for word in group.split()}
    assert {name for name in classes if not re.search(rf"\.{name}\b", style)} == set()
