"""Python of foreign folders: each has its own modules, whatever they are called and whenever they are imported."""

from __future__ import annotations

import errno
import gc
import importlib
import importlib.util
import os
import pickle
import py_compile
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
import torch

from zoo.errors import ModelError, SystemStateError, TrustError, UsageError
from zoo.models.foreign_python import (
    PREFIX,
    blame,
    call_module,
    import_object,
    inside,
    python_file,
    require_trust,
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def factor(folder: Path, name: str = "model.py::factor"):
    """What the function ``factor()`` of a folder's file returns."""
    return import_object(name, folder, "model.yaml:1")()


@pytest.fixture(autouse=True)
def _nothing_changes():
    """``sys.path``, the working folder and the names of other modules are afterwards as before."""
    path, listed, here, finders = sys.path, list(sys.path), os.getcwd(), list(sys.meta_path)
    before = dict(sys.modules)
    yield
    assert sys.path is path and sys.path == listed
    assert os.getcwd() == here
    assert sys.meta_path == finders
    added = [name for name in sys.modules if name not in before and not name.startswith(PREFIX)]
    outside = [
        name
        for name in added
        if not str(getattr(sys.modules[name], "__file__", None) or sys.prefix).startswith((sys.prefix, sys.base_prefix))
    ]
    assert outside == []
    assert [name for name, module in before.items() if sys.modules.get(name) is not module] == []


# ---------------------------------------------------------------- isolation

HELPERS = {
    "module": ("{name}.py", "VALUE = {value}\n", "from {name} import VALUE\n"),
    "package": ("{name}/__init__.py", "VALUE = {value}\n", "import {name}\nVALUE = {name}.VALUE\n"),
    "submodule": ("{name}/part.py", "VALUE = {value}\n", "from {name}.part import VALUE\n"),
    "dotted": ("{name}/part.py", "VALUE = {value}\n", "import {name}.part\nVALUE = {name}.part.VALUE\n"),
    "renamed": ("{name}/part.py", "VALUE = {value}\n", "import {name}.part as other\nVALUE = other.VALUE\n"),
    "part of a package": ("{name}/part.py", "VALUE = {value}\n", "from {name} import part\nVALUE = part.VALUE\n"),
    "star": ("{name}.py", "VALUE = {value}\n", "from {name} import *\n"),
    "relative": ("{name}.py", "VALUE = {value}\n", "from .{name} import VALUE\n"),
    "by text": (
        "{name}.py",
        "VALUE = {value}\n",
        "import importlib\nVALUE = importlib.import_module('{name}').VALUE\n",
    ),
}


def two_folders(tmp_path: Path, kind: str, name: str = "utils", lazy: bool = False) -> list[Path]:
    """Folders of the same files, whose helper holds 10 in the first and 20 in the second."""
    file, text, imports = (part.replace("{name}", name) for part in HELPERS[kind])
    body = "".join(f"    {line}\n" for line in imports.splitlines())
    code = f"def factor():\n{body}    return VALUE\n" if lazy else f"{imports}\ndef factor():\n    return VALUE\n"
    folders = []
    for folder, value in (("first", 10), ("second", 20)):
        helper = {file: text.replace("{value}", str(value))}
        if "/part" in file:
            helper[f"{name}/__init__.py"] = ""
        folders.append(write(tmp_path / folder, {"model.py": code} | helper))
    return folders


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)], ids=str)
@pytest.mark.parametrize("kind", HELPERS)
def test_helpers_of_one_folder_are_not_those_of_the_next(tmp_path, kind, order):
    folders = two_folders(tmp_path, kind)
    assert [factor(folders[i]) for i in order] == [(10, 20)[i] for i in order]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
@pytest.mark.parametrize("kind", [kind for kind in HELPERS if kind not in ("star", "by text")])
def test_helpers_imported_after_loading_has_ended(tmp_path, kind, order):
    folders = two_folders(tmp_path, kind, lazy=True)
    functions = [import_object("model.py::factor", folder, "model.yaml:1") for folder in folders]
    for _ in range(2):
        assert [functions[i]() for i in order] == [(10, 20)[i] for i in order]


@pytest.mark.parametrize("lazy", [False, True], ids=["at once", "lazily"])
@pytest.mark.parametrize("name", ["layers", "data", "tokenize", "queue", "model_", "yaml", "click", "profile"])
def test_names_of_the_standard_library_and_of_installed_packages(tmp_path, name, lazy):
    importlib.import_module("tokenize")
    folders = two_folders(tmp_path, "module", name, lazy)
    assert [factor(folder) for folder in folders] == [10, 20]
    if importlib.util.find_spec(name):
        assert not hasattr(importlib.import_module(name), "VALUE")  # everybody else has the real one


def test_the_standard_library_does_not_get_a_folders_modules(tmp_path):
    """`multiprocessing.queues` imports `queue`; in a fresh process it does so for the first time."""
    write(tmp_path, {"model.py": "import multiprocessing.queues as q\nimport queue\n", "queue.py": "VALUE = 10\n"})
    program = (
        "from pathlib import Path\nfrom zoo.models.foreign_python import import_file\nimport sys\n"
        "sys.modules.pop('queue', None)\nsys.modules.pop('multiprocessing.queues', None)\n"
        f"m = import_file(Path({str(tmp_path / 'model.py')!r}), Path({str(tmp_path)!r}))\n"
        "print(m.queue.VALUE, m.q.Full.__module__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10", "_queue"] or done.stdout.split() == ["10", "queue"]


def test_packages_with_relative_imports_of_every_depth(tmp_path):
    for folder, value in (("first", 10), ("second", 20)):
        write(
            tmp_path / folder,
            {
                "layers/__init__.py": "from .conv import conv\nfrom . import deep\n",
                "layers/conv.py": "from .deep.core import VALUE\nfrom utils import ONE\n\ndef conv():\n"
                "    from .deep import core\n    return core.VALUE * ONE + VALUE * 0\n",
                "layers/deep/__init__.py": "",
                "layers/deep/core.py": "from ...utils import ONE\nfrom .. import deep\n" + f"VALUE = {value} * ONE\n",
                "utils.py": "ONE = 1\n",
                "model.py": "import layers\nfrom layers import conv as function\n\n"
                "def factor():\n    assert layers.deep.core.VALUE\n    return function()\n",
            },
        )
    assert [factor(tmp_path / name) for name in ("first", "second", "first")] == [10, 20, 10]


def test_a_folder_without_init_is_a_package_where_no_other_has_its_name(tmp_path):
    write(tmp_path / "first", {"model.py": "from nets.conv import VALUE\ndef factor(): return VALUE\n"})
    write(tmp_path / "first", {"nets/conv.py": "VALUE = 10\n", "json/x.txt": ""})
    write(tmp_path / "second", {"model.py": "import json\ndef factor(): return json.loads('20')\n", "json/x.txt": ""})
    assert [factor(tmp_path / name) for name in ("first", "second")] == [10, 20]


def test_built_in_and_frozen_modules_keep_their_names_as_in_python(tmp_path):
    """Python finds `os` and `time` before it looks at any folder."""
    write(tmp_path, {"model.py": "import os, time\ndef factor(): return os.getpid() and time.time() > 0\n"})
    write(tmp_path, {"os.py": "", "time.py": ""})
    assert factor(tmp_path) is True


def test_a_file_below_the_folder_has_its_neighbours_and_the_folders(tmp_path):
    write(
        tmp_path,
        {
            "src/model.py": "from near import VALUE\nfrom far import MORE\nfrom both import WHO\n"
            "def factor(): return VALUE + MORE, WHO\n",
            "src/near.py": "VALUE = 1\n",
            "far.py": "MORE = 2\n",
            "both.py": "WHO = 'folder'\n",
            "src/both.py": "WHO = 'neighbour'\n",
        },
    )
    assert factor(tmp_path, "src/model.py::factor") == (3, "neighbour")
    assert factor(tmp_path, "src.model.factor") == (3, "folder")  # a dotted name starts from the folder, as in Kipoi


def test_a_dotted_name_is_a_module_of_its_package(tmp_path):
    write(tmp_path, {"nets/__init__.py": "", "nets/deep.py": "from . import parts\ndef factor(): return parts.VALUE\n"})
    write(tmp_path, {"nets/parts.py": "VALUE = 10\n"})
    assert factor(tmp_path, "nets.deep.factor") == 10


@pytest.mark.parametrize("file", ["my.model.py", "my-model.py", "model.txt", "class.py", "model.py"])
def test_a_file_of_any_name(tmp_path, file):
    write(
        tmp_path, {file: "from utils import VALUE\ndef factor(): return VALUE, __name__\n", "utils.py": "VALUE = 10\n"}
    )
    write(tmp_path, {"model/__init__.py": "raise SystemExit('a package of the same name')\n"})
    value, name = factor(tmp_path, f"{file}::factor")
    assert value == 10 and name in sys.modules


def test_model_and_dataloader_of_a_folder_share_its_helper(tmp_path):
    write(tmp_path, {"helper.py": "class Row: ...\n", "a.py": "from helper import Row\n"})
    write(tmp_path, {"b.py": "from helper import Row\nimport a\n"})
    first = import_object("a.py::Row", tmp_path, "x")
    assert first is import_object("b.Row", tmp_path, "x")
    assert first is import_object("b.py::a", tmp_path, "x").Row


def test_circular_imports_end(tmp_path):
    write(tmp_path, {"a.py": "import b\nVALUE = 1\ndef factor(): return b.get()\n"})
    write(tmp_path, {"b.py": "import a\ndef get(): return a.VALUE\n"})
    assert factor(tmp_path, "a.py::factor") == 1


def test_module_names_that_the_importer_itself_might_use(tmp_path):
    names = ["name", "places", "files", "root", "has", "load", "builtins_", "__init__x"]
    write(tmp_path, {f"{name}.py": "VALUE = 1\n" for name in names})
    lines = "".join(f"    import {name}\n" for name in names)
    write(tmp_path, {"model.py": f"def factor():\n{lines}    return {' + '.join(f'{name}.VALUE' for name in names)}\n"})
    assert factor(tmp_path) == factor(tmp_path) == len(names)


# ---------------------------------------------------------------- sys.path, sys.modules, the working folder


def test_a_folder_put_into_sys_path_by_the_file_is_its_own(tmp_path):
    line = "import os, sys\nsys.path.{how}os.path.join(os.path.dirname(os.path.abspath(__file__)), {place!r}))\n"
    for folder, value in (("a/first", 10), ("b/second", 20)):
        inner = line.format(how="append(", place="src") + line.format(how="insert(0, ", place="../shared")
        write(
            tmp_path / folder,
            {"model.py": inner + "import net\ndef factor():\n    import late\n    return net.V + late.V\n"},
        )
        write(tmp_path / folder, {"src/net.py": f"V = {value}\n", "../shared/late.py": f"V = {value / 10}\n"})
    assert [factor(tmp_path / name) for name in ("a/first", "b/second", "a/first")] == [11, 22, 11]


def test_a_replaced_sys_path_is_put_back(tmp_path):
    write(tmp_path, {"model.py": "import sys\nsys.path = ['.'] + sys.path\nsys.path.clear\ndef factor(): return 1\n"})
    assert factor(tmp_path) == 1


@pytest.mark.parametrize("text", ["1 / 0", "raise SystemExit(3)", "import helper\nhelper.nothing", "def x(:"])
def test_all_is_as_before_after_an_error(tmp_path, text):
    write(tmp_path, {"model.py": f"import sys\nsys.path.insert(0, 'x')\nimport helper\n{text}\n", "helper.py": ""})
    with pytest.raises(ModelError):
        factor(tmp_path)
    assert str(tmp_path / "model.py") not in [getattr(one, "__file__", None) for one in sys.modules.values()]
    write(tmp_path, {"model.py": "def factor(): return 7\n"})
    assert factor(tmp_path) == 7, "a failed file is run again once it is corrected"


def test_a_module_of_the_user_keeps_its_place(tmp_path, monkeypatch):
    mine = types.ModuleType("utils")
    mine.VALUE, mine.__file__ = 1, str(tmp_path / "mine" / "utils.py")
    folders = two_folders(tmp_path, "by text")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "utils", mine)
        assert [factor(folder) for folder in folders] == [10, 20]
        assert sys.modules["utils"] is mine


def test_files_are_read_from_the_folder_while_it_is_loaded(tmp_path):
    write(tmp_path, {"model.py": "VALUE = int(open('factor.txt').read())\ndef factor(): return VALUE\n"})
    write(tmp_path, {"factor.txt": "10"})
    assert factor(tmp_path) == 10


def test_a_relative_folder(tmp_path, monkeypatch):
    two_folders(tmp_path, "module", lazy=True)
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert [factor(Path(name)) for name in ("first", "second")] == [10, 20]
        patch.chdir(tmp_path / "first")
        assert factor(Path()) == 10


def test_a_folder_that_is_not_there_changes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), inside(tmp_path / "nowhere"):
        pass


def test_a_changed_file_is_read_anew_and_an_unchanged_one_is_not_run_twice(tmp_path):
    folder = two_folders(tmp_path, "module", lazy=True)[0]
    old = import_object("model.py::factor", folder, "x")
    assert import_object("model.py::factor", folder, "x") is old
    for file, text in (("utils.py", "VALUE = 31\n"), ("model.py", "def factor(): return 42\n")):
        write(folder, {file: text})
    assert factor(folder) == 42
    write(folder, {"model.py": "from utils import VALUE\ndef factor(): return VALUE + 0\n"})
    assert factor(folder) == 31


def test_a_changed_data_file_is_read_anew(tmp_path):
    write(tmp_path, {"model.py": "VALUE = int(open('n.txt').read())\ndef factor(): return VALUE\n", "n.txt": "10"})
    assert factor(tmp_path) == 10
    write(tmp_path, {"n.txt": "200"})
    assert factor(tmp_path) == 200


def test_a_file_that_was_missing_is_found_once_it_is_there(tmp_path):
    write(tmp_path, {"model.py": "def factor():\n    from late import VALUE\n    return VALUE\n"})
    with pytest.raises(ModuleNotFoundError):
        factor(tmp_path)
    write(tmp_path, {"late.py": "VALUE = 5\n"})
    assert factor(tmp_path) == 5


def test_results_written_into_the_folder_part_nothing(tmp_path):
    write(tmp_path, {"helper.py": "class Row: ...\n", "a.py": "from helper import Row\n"})
    first = import_object("a.py::Row", tmp_path, "x")
    (tmp_path / "out.h5").write_bytes(b"1")
    assert import_object("helper.py::Row", tmp_path, "x") is first


def test_bytecode_beside_the_file_is_neither_read_nor_written(tmp_path):
    """A .pyc can hold other code than the file whose checksum the card gives."""
    folder = two_folders(tmp_path, "module")[0]
    write(tmp_path, {"evil.py": "VALUE = 666\n"})
    cached = Path(importlib.util.cache_from_source(folder / "utils.py"))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(tmp_path / "evil.py"), cfile=str(cached), invalidation_mode=mode)
    assert factor(folder) == 10
    assert os.listdir(cached.parent) == [cached.name]
    (folder / "utils.py").unlink()
    cached.rename(folder / "utils.pyc")
    with pytest.raises(SystemStateError, match="utils"):
        factor(folder)


# ---------------------------------------------------------------- who looks a module up


def test_pickles_and_dataclasses_find_the_module(tmp_path):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field, KW_ONLY\n"
        "from typing import ClassVar\n\n@dataclass\nclass Row:\n    n: int\n    _: KW_ONLY\n"
        "    all: ClassVar[int] = {value}\n"
    )
    rows = []
    for name, value in (("first", 1), ("second", 2)):
        folder = write(tmp_path / name, {"rows.py": text.replace("{value}", str(value))})
        rows.append(import_object("rows.py::Row", folder, "x")(value))
    again = pickle.loads(pickle.dumps(rows))
    assert again == rows and [row.all for row in again] == [1, 2]
    assert type(rows[0]) is not type(rows[1])


def test_a_pickle_that_names_the_folders_classes_by_bare_names(tmp_path):
    """As its authors wrote it, in the folder: `net.Net`."""
    folder = write(tmp_path, {"net.py": "class Net:\n    def __init__(self, n): self.n = n\n"})
    program = "import pickle, net; pickle.dump(net.Net(3), open('net.pkl', 'wb'))"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
    with inside(folder):
        read = pickle.loads((folder / "net.pkl").read_bytes())
    assert read.n == 3 and type(read) is import_object("net.py::Net", folder, "x")
    with pytest.raises(ModuleNotFoundError):
        pickle.loads((folder / "net.pkl").read_bytes())


def test_bare_names_are_for_the_thread_that_loads(tmp_path):
    folder = write(tmp_path, {"only_here.py": ""})
    found = []
    with inside(folder):
        other = threading.Thread(target=lambda: found.append(importlib.util.find_spec("only_here")))
        other.start()
        other.join(60)
        assert importlib.util.find_spec("only_here") is not None
    assert found == [None]


def test_loading_in_several_threads_does_not_mix(tmp_path):
    """Each reads a file of its working folder and a helper, with a switch of threads in between."""
    text = "import time\ntime.sleep(0.005)\nfrom utils import VALUE\nN = int(open('n.txt').read())\ntime.sleep(0.005)\n"
    folders = []
    for i in range(6):
        code = text + "from more import MORE\ndef factor(): return VALUE, N, MORE\n"
        files = {"model.py": code, "utils.py": f"VALUE = {i}\n", "more.py": f"MORE = {i}\n", "n.txt": str(i)}
        folders.append(write(tmp_path / str(i), files))
    found: dict[int, tuple] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: factor(folders[i])})) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {i: (i, i, i) for i in range(6)}


def test_a_folder_may_load_another_while_it_is_loaded(tmp_path):
    inner, outer = two_folders(tmp_path, "module")
    load = (
        f"from zoo.models.foreign_python import import_object\nfrom pathlib import Path\n"
        f"theirs = import_object('model.py::factor', Path({str(inner)!r}), 'x')\n"
    )
    write(outer, {"model.py": load + "from utils import VALUE\ndef factor(): return theirs(), VALUE\n"})
    assert factor(outer) == (10, 20)


# ---------------------------------------------------------------- names in a YAML


def test_what_a_name_means(tmp_path):
    write(tmp_path, {"a/b.py": "", "c.py": ""})
    assert python_file("x/y.py::Z", tmp_path) == (tmp_path / "x/y.py", "Z")
    assert python_file("a.b.C.D", tmp_path) == (tmp_path / "a/b.py", "C.D")
    assert python_file("c.D", tmp_path) == (tmp_path / "c.py", "D")
    assert python_file("json.JSONDecoder", tmp_path) == (None, "json.JSONDecoder")
    assert import_object("json.JSONDecoder", tmp_path, "x") is importlib.import_module("json").JSONDecoder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.py::X", "none.py does not exist"),
        ("X", "'X' names no object of a module"),
        ("a.py::X", "a.py has no 'X'"),
        ("a.py::Y.Z", "a.py has no 'Z'"),
        ("json.X", "json.X has no 'X'"),
    ],
)
def test_a_name_that_means_nothing(tmp_path, name, says):
    write(tmp_path, {"a.py": "class Y: ...\n"})
    with pytest.raises(ModelError) as caught:
        import_object(name, tmp_path, "model.yaml:4")
    assert caught.value.what.startswith("model.yaml:4: ") and caught.value.what.endswith(says)


def test_trust_names_file_and_folder():
    require_trust(Path("toy/m.py"), True, Path("toy"))
    with pytest.raises(TrustError) as caught:
        require_trust(Path("toy/m.py"), False, Path("toy"))
    assert caught.value.what == "toy/m.py: this model runs Python of a folder that is not trusted"
    assert caught.value.fix == "Fix: read the file, then add --trust (zoo.load_model('toy', trust=True))"


# ---------------------------------------------------------------- exceptions of a model


def blamed(error: BaseException, **options) -> ModelError | SystemStateError:
    with pytest.raises((ModelError, SystemStateError)) as caught, blame("toy: x", **options):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def test_an_exception_names_what_was_done_and_its_own_line():
    error = blamed(KeyError("a\nb  c"), given="on 3 rows", fix="do this")
    assert error.what == r"toy: x failed: KeyError: 'a\nb c'".replace("  ", " ")
    assert error.extent.startswith(f"raised at {__file__}:") and error.extent.endswith(", on 3 rows")
    assert error.fix == "Fix: do this"
    assert blamed(ValueError()).what == "toy: x failed: ValueError: (no message)"
    assert blamed(SystemExit("bye")).what == "toy: x failed: SystemExit: bye"
    assert len(blamed(ValueError("x " * 1000)).what) < 350


def test_the_line_is_that_of_the_folder_not_of_the_library_that_it_called(tmp_path):
    write(tmp_path, {"model.py": "import json\ndef factor():\n    return json.loads('{')\n"})
    function = import_object("model.py::factor", tmp_path, "x")
    with pytest.raises(ModelError) as caught, blame("toy: x"):
        function()
    assert caught.value.extent == f"raised at {tmp_path / 'model.py'}:3"


def test_a_syntax_error_names_the_line_that_has_it(tmp_path):
    write(tmp_path, {"model.py": "import utils\n", "utils.py": "x = 1\n\ny = (\n"})
    with pytest.raises(ModelError) as caught:
        factor(tmp_path)
    assert caught.value.extent == f"raised at {tmp_path / 'utils.py'}:3"
    assert caught.value.what.startswith("model.yaml:1: importing model.py::factor failed: SyntaxError: ")


@pytest.mark.parametrize("text", ["from utils import nothing", "import utils.nothing", "from . import nothing"])
def test_names_are_shown_as_the_file_has_them(tmp_path, text):
    write(tmp_path, {"model.py": f"{text}\n", "utils.py": ""})
    with pytest.raises(ModelError) as caught:
        factor(tmp_path)
    assert PREFIX not in str(caught.value).replace(str(tmp_path), "")


def test_a_missing_package_is_named_with_its_installation():
    error = blamed(ModuleNotFoundError("No module named 'x.y'", name="x_no_such.y"))
    assert isinstance(error, SystemStateError)
    assert error.what == "toy: x failed: it needs the package x_no_such, which is not installed"
    assert error.fix == "Fix: pip install x_no_such (model.yaml's `dependencies` tells which version)"
    assert isinstance(blamed(ModuleNotFoundError("by hand")), ModelError)


def test_a_missing_part_of_an_installed_package_is_not_installed_again():
    error = blamed(ModuleNotFoundError("No module named 'torch.old'", name="torch.old"))
    assert error.what == "toy: x failed: it needs torch.old, which the installed torch does not have"
    assert error.fix.startswith("Fix: another version of torch")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_memory_is_the_machines(error):
    found = blamed(error)
    assert isinstance(found, SystemStateError) and "not enough memory" in found.what and "--batch-size" in found.fix


@pytest.mark.parametrize(
    "error",
    [UsageError("x"), KeyboardInterrupt(), torch.OutOfMemoryError("x"), OSError(errno.ENOSPC, "No space left")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_models_fault_passes(error):
    with pytest.raises(type(error)) as caught, blame("toy: x"):
        raise error
    assert caught.value is error


def test_a_file_that_the_model_misses_is_its_fault():
    assert "FileNotFoundError" in blamed(FileNotFoundError(errno.ENOENT, "No such file", "weights")).what


def test_a_module_that_fails_on_a_batch():
    class Broken(torch.nn.Module):
        def forward(self, x):
            return x @ x

    with pytest.raises(ModelError) as caught:
        call_module(Broken(), torch.zeros(2, 4, 8), "toy")
    assert caught.value.what.startswith("toy: the model failed: RuntimeError: ")
    assert caught.value.extent.startswith(f"raised at {__file__}:")
    assert caught.value.extent.endswith(", on an input of shape (2, 4, 8)")
    assert call_module(torch.nn.Identity(), torch.ones(1), "toy").tolist() == [1.0]


def test_forgotten_models_do_not_keep_the_lock(tmp_path):
    """An exception that is kept, with its frames, holds nothing that the next thread needs."""
    write(tmp_path, {"model.py": "1 / 0\n"})
    with pytest.raises(ModelError) as kept:
        factor(tmp_path)
    good = two_folders(tmp_path / "more", "module")[1]
    found = []
    thread = threading.Thread(target=lambda: found.append(factor(good)))
    thread.start()
    thread.join(10)
    assert found == [20] and kept.value.__cause__ is not None
    gc.collect()
