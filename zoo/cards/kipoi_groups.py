"""Groups of Kipoi models: one template (``model-template.yaml``) and one row a model (``models.tsv``).

Kipoi renders templates with Jinja. A source is listed before anything of it is trusted, so
that only constructs which end and touch nothing are rendered here: text, variables, literals,
comparisons, ``if``, ``and``/``or``/``not`` and a few filters. What can grow without bound or reach
out (loops, assignments, calls, includes, arithmetic) is refused by name.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.yaml_lines import YamlDocument, component_file, load_yaml
from zoo.errors import ModelError
from zoo.words import counted, near_names

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Group", "find_group", "read_group"]

NODES = frozenset(
    {
        "Template",
        "Output",
        "TemplateData",
        "Name",
        "Const",
        "If",
        "Compare",
        "Operand",
        "And",
        "Or",
        "Not",
        "Filter",
        "List",
        "Tuple",
        "CondExpr",
        "Concat",
        "Test",
        "ScopedEvalContextModifier",
    }
)
FILTERS = frozenset(
    {
        "length",
        "count",
        "lower",
        "upper",
        "title",
        "capitalize",
        "trim",
        "default",
        "d",
        "string",
        "int",
        "float",
        "first",
        "last",
    }
)
TESTS = frozenset({"defined", "undefined", "none", "number", "string", "true", "false", "in", "eq", "ne"})
# pandas.read_csv: what it takes for an absent value.
ABSENT = frozenset(
    {
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    }
)


@dataclass(frozen=True)
class Group:
    """A folder whose models (or dataloaders) come from one template.

    Attributes:
        folder: where template and table stand.
        path: the template.
        rows: name of a model -> its row, with values as pandas types them.
    """

    folder: Path
    path: Path
    rows: dict[str, dict[str, Any]]
    template: Template

    def document(self, name: str) -> YamlDocument:
        """The YAML of one model of the group; errors name the template's lines."""
        return load_yaml(self.path, self.template.render(**self.rows[name]))

    def rendered(self, name: str, path: Path, text: str) -> str:
        """Text of another file of the group (the front matter of its README) for one of its models.

        Raises:
            ModelError: the text has a construct that is refused.
        """
        return _compiled(path, text).render(**self.rows[name])


def find_group(component: Path, kind: str) -> tuple[Group, str] | None:
    """The group that holds ``component`` (a folder that is not on disk) and the name there, or None.

    Args:
        kind: ``model`` or ``dataloader``.

    Raises:
        ModelError: the group is broken, or has no model of that name (with near names).
    """
    # Nearest first, as kipoi looks it up.
    for folder in component.parents:
        if not folder.is_dir():
            continue
        if component_file(folder, f"{kind}-template") is None or not (folder / "models.tsv").is_file():
            continue
        group = read_group(folder, kind)
        name = component.relative_to(folder).as_posix()
        if name in group.rows:
            return group, name
        if folder == Path():  # in the folder of a group, a plain name can also be one of `zoo list`
            return None
        raise _unknown(group, name)
    return None


def _unknown(group: Group, name: str) -> ModelError:
    near = near_names(name, group.rows)
    return ModelError(
        f"{group.folder / 'models.tsv'}: no model {name!r}",
        f"it has {len(group.rows):,}" + (f"; near names: {', '.join(near)}" if near else ""),
        "Fix: give a name of its column `model`",
    )


def read_group(folder: Path, kind: str = "model") -> Group:
    """Read the group of a folder.

    Raises:
        ModelError: template or table is missing or broken, or the template has a construct that is refused.
    """
    path, table = component_file(folder, f"{kind}-template"), folder / "models.tsv"
    if path is None or not table.is_file():
        raise ModelError(f"{folder}: no {kind}-template.yaml and models.tsv", "", "Fix: a group has both")
    state = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in (path, table))
    return _read_group(folder, path, table, state)


@lru_cache(maxsize=32)
def _read_group(folder: Path, path: Path, table: Path, state: Any) -> Group:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}", "", "Fix: check the file") from None
    return Group(folder, path, _read_table(table), _compile(text, path))


@lru_cache(maxsize=32)
def _compiled(path: Path, text: str) -> Template:
    return _compile(text, path)


def _compile(text: str, path: Path) -> Template:
    from jinja2 import TemplateSyntaxError
    from jinja2.nodes import Filter, Test
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment()
    environment.globals.clear()
    try:
        tree = environment.parse(text)
        for node in [tree, *tree.find_all(_node_class())]:
            kind = type(node).__name__
            known = kind in NODES
            if isinstance(node, Filter):
                kind, known = f"filter {node.name}", node.name in FILTERS
            elif isinstance(node, Test):
                kind, known = f"test {node.name}", node.name in TESTS
            if not known:
                raise ModelError(
                    f"{path}:{node.lineno}: the template uses {kind}, which is not rendered here",
                    "a source is listed before it is trusted: variables, literals, comparisons and `if` are rendered",
                    "Fix: put the value into a column of models.tsv",
                )
        return environment.from_string(tree)
    except TemplateSyntaxError as error:
        raise ModelError(
            f"{path}:{error.lineno}: the template does not parse: {error.message}", "", "Fix: correct that line"
        ) from None


def _node_class() -> Any:
    from jinja2.nodes import Node

    return Node


def _read_table(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by model name; typed and commented as by ``pandas.read_csv(sep="\\t", comment="#")``."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = [line.partition("#")[0] if "#" in line else line for line in handle]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}", "", "Fix: a table of UTF-8 text") from None
    rows = [row for row in csv.reader((line for line in lines if line.strip()), delimiter="\t") if row]
    header = rows[0] if rows else []
    if "model" not in header:
        raise ModelError(f"{path}:1: has no column `model`", "", "Fix: separate columns by tabs; call one `model`")
    if long := [row for row in rows[1:] if len(row) > len(header)]:
        raise ModelError(
            f"{path}: {counted(len(long), 'row has', 'rows have')} more fields than the header",
            f"first: {long[0][0]}",
            "Fix: separate columns by single tabs",
        )
    full = [row + [""] * (len(header) - len(row)) for row in rows[1:]]
    columns = {name: _typed([row[i] for row in full]) for i, name in enumerate(header)}
    models = list(map(str, columns["model"]))
    table = {model: {name: column[i] for name, column in columns.items()} for i, model in enumerate(models)}
    if twice := len(full) - len(table):
        raise ModelError(
            f"{path}: {counted(twice, 'name of a model is', 'names of models are')} repeated",
            "",
            "Fix: names are unique",
        )
    if bad := [name for name in table if os.path.normpath(name) != name or name.startswith(("/", ".."))]:
        raise ModelError(f"{path}: {bad[0]!r} is no name of a model", f"{len(bad)} such", "Fix: parts joined by /")
    return table


def _typed(column: list[str]) -> list[Any]:
    """A column of whole numbers, numbers or truth values becomes such; absent values become NaN."""
    present = [text for text in column if text not in ABSENT]
    complete = len(present) == len(column)
    for convert in (_whole, _number, _truth) if complete else (_number,):
        try:
            converted = iter([convert(text) for text in present])
        except ValueError:
            continue
        return [float("nan") if text in ABSENT else next(converted) for text in column]
    return [float("nan") if text in ABSENT else text for text in column]


def _whole(text: str) -> int:
    if not text.strip().lstrip("+-").isdecimal():
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _truth(text: str) -> bool:
    known = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
    if text not in known:
        raise ValueError(text)
    return known[text]
