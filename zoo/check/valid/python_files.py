"""Python of an entry, read and not run: what it imports, calls and names.

This is for the reader of a pull request and catches mistakes; it is no guard against malice, which can hide any name.
What the code can do is bounded by `zoo.check.confine`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from zoo.check.draft import Draft
from zoo.check.findings import Finding

__all__ = ["check_python"]

NETWORK = {"socket", "ssl", "urllib", "http", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "huggingface_hub"}
PROCESSES = {"subprocess", "multiprocessing", "ctypes", "pty", "signal"}
PICKLES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "compile", "__import__"}
ABSOLUTE = re.compile(
    r"^(/(home|root|Users|data|mnt|scratch|tmp|usr|opt|work|etc|var|projects?|gpfs|lustre)\b|~/|[A-Z]:\\)"
)


def check_python(draft: Draft) -> Iterator[Finding]:
    """Syntax, imports, calls and absolute paths of every Python file."""
    for path in draft.files:
        if path.suffix != ".py" or not path.is_file():
            continue
        try:
            tree = ast.parse(path.read_bytes(), filename=str(path))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            yield draft.finding("python", f"Python does not parse: {error}", "correct that line", path, line)
            continue
        for line, rule, what, fix in sorted(_problems(tree, path, draft.folder)):
            yield draft.finding(rule, what, fix, path, line)


def _problems(tree: ast.AST, path: Path, folder: Path) -> Iterator[tuple[int, str, str, str]]:
    docs = {id(node.body[0].value) for node in ast.walk(tree) if _has_docstring(node)}
    for node in ast.walk(tree):
        for name in _imported(node):
            yield from _of_import(node.lineno, name)
        if isinstance(node, ast.ImportFrom) and node.level > len(path.relative_to(folder).parts):
            yield node.lineno, "confined", "imports from outside its folder", "an entry stands alone"
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"):
            what = f"reads the environment ({node.attr}): a model is a function of its input"
            yield node.lineno, "confined", what, "leave it out"
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docs else None
        if isinstance(text, str) and ABSOLUTE.match(text):
            what = f"names the absolute path {text[:60]!r}"
            yield (
                node.lineno,
                "absolute",
                what,
                "paths are relative to the folder, and weights are named in model.yaml",
            )


def _has_docstring(node: ast.AST) -> bool:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module.split(".")[0]]
    return []


def _of_import(line: int, name: str) -> Iterator[tuple[int, str, str, str]]:
    if name in NETWORK:
        yield line, "network", f"imports {name}: a model uses no network", "name what is fetched in `files` of the card"
    elif name in PROCESSES:
        yield line, "confined", f"imports {name}: a model starts no processes and calls no C library", "leave it out"
    elif name in PICKLES:
        yield (
            line,
            "pickle",
            f"imports {name}, which can run what a file says",
            "read tensors: safetensors or a state dict",
        )


def _of_call(node: ast.Call) -> Iterator[tuple[int, str, str, str]]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in CALLS:
        yield node.lineno, "confined", f"calls {function.id}(), which runs text as code", "write the code itself"
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return
    name = f"{function.value.id}.{function.attr}"
    safe = any(one.arg == "weights_only" and getattr(one.value, "value", None) is True for one in node.keywords)
    if name == "torch.load" and not safe:
        yield (
            node.lineno,
            "pickle",
            "torch.load without weights_only=True can run what a file says",
            "add weights_only=True",
        )
    if name in ("os.system", "os.popen", "os.fork", "os.execv"):
        yield node.lineno, "confined", f"calls {name}: a model starts no processes", "leave it out"
