"""In a real kernel: a run shows one bar and no flood, cards are HTML, and nothing imports IPython elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.notebook import card_html, in_notebook

ROOT = Path(__file__).resolve().parents[1]
ENTRY = ROOT / "model_cards" / "yeast-atac"

# A model that takes 0.05 s a window, so that the bar is drawn and drawn again: 40 windows, two seconds.
SLOW = """
import time, warnings
warnings.simplefilter("ignore")
import zoo
model = zoo.load_model({entry!r})
class Slow(type(model.module)):
    def forward(self, x):
        time.sleep(0.05 * len(x))
        return super().forward(x)
model.module.__class__ = Slow
folder = {entry!r} + "/example/"
regions = [("chrI", 32000 + 100 * i, 32100 + 100 * i) for i in range(40)]
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The outputs of each cell of a notebook that was run from the beginning."""
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("notebook")
    sources = [
        SLOW.format(entry=str(ENTRY)),
        "found = zoo.predict(model, regions, folder + 'genome.fa', batch_size=1)",
        "found",
        "model",
        "zoo.info('yeast-atac')",
        "result = zoo.predict(model, regions, folder + 'genome.fa', 'out.tsv', batch_size=1)",
        "from zoo.progress import Progress\n"
        "_ = zoo.predict(model, regions[:8], folder + 'genome.fa', batch_size=1, progress=Progress)",
        "try:\n    zoo.predict(model, regions, folder + 'genome.fa', batch_size=1, tracks=['nothing'])\n"
        "except Exception as error:\n    print(type(error).__name__)",
        "result",
        "from zoo.progress import StderrListener, TransferState\n"
        "listener = StderrListener()\n"
        "for done in range(0, 101):\n"
        "    time.sleep(0.01)\n"
        "    listener.progress(TransferState('weights.h5', done, 100, done, done / 100 + 0.01))\n"
        "listener.finished()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    kernel = folder / "kernels" / "zoo"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "zoo", "language": "python"}))
    before = dict(os.environ)
    os.environ["JUPYTER_PATH"] = str(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [before.get("PYTHONPATH")])])
    try:
        NotebookClient(
            notebook, kernel_name="zoo", timeout=120, resources={"metadata": {"path": str(folder)}}
        ).execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return [cell["outputs"] for cell in notebook["cells"]]


def test_a_run_shows_one_bar_that_ends_full(cells):
    for outputs in (cells[1], cells[5]):
        assert len(outputs) == 1, outputs
        (output,) = outputs
        assert output["output_type"] == "display_data"
        page, text = output["data"]["text/html"], output["data"]["text/plain"]
        assert page.count('role="progressbar"') == 1 and 'aria-valuenow="100.0"' in page
        assert text.startswith("zoo: 40 windows in 0:0") and "40 windows in 0:0" in page


def test_cards_are_html_beside_their_text(cells):
    for outputs, text in ((cells[2], "<Predictions: 40 windows"), (cells[3], "<Model "), (cells[4], "<yeast-atac ")):
        (output,) = outputs
        assert output["output_type"] == "execute_result"
        assert output["data"]["text/plain"].startswith(text)
        assert 'class="zoo-card"' in output["data"]["text/html"] and "Tn5 cuts per bin" in output["data"]["text/html"]


def test_what_a_run_wrote_is_a_card(cells):
    (output,) = cells[8]
    page, text = output["data"]["text/html"], output["data"]["text/plain"]
    assert text.startswith("<PredictResult: 40 windows of 40 regions in ") and text.endswith(" -> out.tsv>")
    assert 'class="zoo-card"' in page and "<b>40 windows of 40 regions</b>" in page
    assert re.search(r">out\.tsv</td><td [^>]*>\d+(\.\d)? kB<", page), page


def test_a_card_of_a_run_without_files_and_with_many(tmp_path):
    from zoo.run.job import PredictResult

    dry = PredictResult(windows=1, regions=1)
    assert repr(dry) == "<PredictResult: 1 window of 1 region; no file>" and "no file was written" in dry._repr_html_()
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr/a").write_bytes(bytes(1000))
    (tmp_path / "x.zarr/b").write_bytes(bytes(500))
    paths = [tmp_path / "x.zarr", *(tmp_path / f"{i}.bw" for i in range(6))]
    page = PredictResult(paths, 2, 2, notes=["<b>"], seconds=1.0)._repr_html_()
    assert "1.5 kB" in page and "and 2 more files" in page and "5.bw" not in page and "&lt;b&gt;" in page


def test_who_asks_for_silence_gets_it(cells):
    assert cells[6] == []


def test_an_error_before_the_run_shows_no_bar(cells):
    (output,) = cells[7]
    assert output["text"] == "UsageError\n"


def test_a_download_shows_one_bar_too(cells):
    (output,) = cells[9]
    assert output["output_type"] == "display_data" and "weights.h5" in output["data"]["text/plain"]


def test_elsewhere_there_is_no_notebook_and_no_bar(tmp_path):
    assert not in_notebook()
    program = (
        "import sys, warnings; warnings.simplefilter('ignore'); import zoo\n"
        f"zoo.predict({str(ENTRY)!r}, {str(ENTRY / 'example/regions.bed')!r}, {str(ENTRY / 'example/genome.fa')!r})\n"
        "print([name for name in ('IPython', 'xarray', 'anndata', 'pandas', 'tqdm.auto') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("text", ["<script>x</script>", "a & b", '" onmouseover="x', "<b>"])
def test_every_part_of_a_card_is_escaped(text):
    page = card_html(text, text, [(text, text)], [text], [[text]], text)
    assert text not in page.replace("<b>&", "&").replace("<b>a", "a") or text == "<b>"
    assert page.count("<script>") == 0 and 'onmouseover="x' not in page
    assert page.count("<b>") == 1  # that of the title alone


def test_a_card_has_the_colours_of_its_page():
    """Light or dark: it sets no colour of its own, and its lines and the bar stand out on white and on near black."""
    from zoo.notebook import LINE, _BarState

    page = card_html("a", "b", [("c", "d")], ["e"], [["f"]], "g")
    assert set(re.findall(r"(?<![-\w])(?:color|background)\s*:\s*([^;\"]+)", page)) == {"inherit", "none"}
    assert LINE.startswith("rgba(128,128,128,")
    (bar,) = re.findall(r"background:#(\w{6})", _BarState("half", 0.5)._repr_html_())

    def luminance(colour: str) -> float:  # WCAG 2
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground in ("ffffff", "111111"):
        low, high = sorted((luminance(bar), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) > 3
