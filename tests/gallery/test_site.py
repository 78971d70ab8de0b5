"""A gallery as a whole: what it links to, loads, counts and replaces; the same entries give the same bytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from gallery_pages import Page, read

import zoo
from zoo.errors import UsageError
from zoo.gallery.gallery import MANIFEST
from zoo.gallery.pages import places_of
from zoo.store.sources import add_source

ROOT = Path(__file__).resolve().parents[2]
LOADING = {"src", "data", "poster", "srcset", "action", "formaction", "background", "ping"}


def pages_of(folder):
    return {path: read(path) for path in sorted(folder.rglob("*.html")) if path.parts[-2] != "reports"}


@pytest.fixture(scope="module")
def pages(site):
    """The site's pages, read once."""
    return pages_of(site)


def check_links(folder):
    """Every relative link leads to a file of the site, and where it names a part of it, to that part."""
    found = pages_of(folder)
    ids = {path.resolve(): set(page.ids) for path, page in found.items()}
    n = 0
    for path, page in found.items():
        for tag, attrs in page.tags:
            for name in ("href", "src"):
                address = attrs.get(name)
                if address is None or urlsplit(address).scheme in ("http", "https", "data"):
                    continue
                parts = urlsplit(address)
                assert not parts.scheme and not parts.netloc and not parts.path.startswith("/"), (path, address)
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
                assert target.is_file() and folder.resolve() in target.parents, (path, tag, address)
                if parts.fragment and target in ids:
                    assert unquote(parts.fragment) in ids[target], (path, address)
                n += 1
    return n


def test_all_links_lead_somewhere(site):
    assert check_links(site) > 25 * 10


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        for tag, attrs in page.tags:
            for name in LOADING & attrs.keys():
                assert not urlsplit(attrs[name]).scheme and not attrs[name].startswith("/"), (path, tag, attrs)
            if tag == "link":
                assert attrs["href"] == "data:," or attrs["href"].endswith("assets/style.css")
            assert "style" not in attrs and not [name for name in attrs if name.startswith("on")], (path, tag, attrs)
        policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv"))
        assert policy.startswith("default-src 'none'") and "http" not in policy and "unsafe" not in policy
        inline = re.findall(r"<script(?![^>]*\bsrc=)", path.read_text())
        assert not inline, path
    style = (site / "assets/style.css").read_text()
    assert "url(" not in style and "@import" not in style
    for script in (site / "assets").glob("*.js"):
        text = script.read_text()
        assert not re.search(
            r"\bfetch\(|XMLHttpRequest|importScripts|\bimport\(|innerHTML|insertAdjacent|\beval\(", text
        )


def test_a_page_has_one_title_and_ids_of_its_own(pages):
    for path, page in pages.items():
        names = [tag for tag, _ in page.tags]
        assert names.count("h1") == 1 and names.count("main") == 1 and ("html", {"lang": "en"}) in page.tags, path
        assert len(page.ids) == len(set(page.ids)), path
        named = [one for value in (*page.values("aria-labelledby"), *page.values("for")) for one in value.split()]
        assert set(named) <= set(page.ids), path
        for tag, attrs in page.tags:
            if tag == "svg":
                assert attrs["role"] == "img" and attrs["aria-label"], path
            if tag == "iframe":
                assert attrs["title"]
            assert tag != "img"


def test_the_list_has_every_model_once(site):
    entries = zoo.entries()
    cards = {entry.get("group") or entry["name"] for entry in entries}
    page = read(site / "index.html")
    assert sum("data-i" not in attrs and attrs.get("class") == "card" for _, attrs in page.tags) == len(cards)
    assert f"{len(entries):,} models that predict" in page.text
    data = json.loads((site / "assets/data.js").read_text().removeprefix("window.GALLERY = ").rstrip(";\n"))
    assert sorted(model[1] for model in data["models"]) == sorted(entry["name"] for entry in entries)
    assert len(list((site / "models").rglob("*.html"))) == len(cards)
    table = read(site / "models/deepbind.html")
    rows = [one for one in table.ids if one.startswith("m-")]
    assert len(rows) == len([entry for entry in entries if entry.get("group") == "deepbind"]) == 927


def test_cards_can_be_read_without_script(site):
    page = read(site / "index.html")
    hidden = [attrs.get("id") or attrs.get("class") for _, attrs in page.tags if "hidden" in attrs]
    assert set(hidden) == {"find", "filters", "clear", "tray", "pick", "none", "more"}
    for entry in zoo.entries():
        if not entry.get("group"):
            assert entry["name"] in page.text and " ".join(entry["summary"].split())[:200] in page.text
    assert "Search and filters need JavaScript" in page.text


def test_the_same_entries_give_the_same_bytes(site, tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "yeast-atac.html").write_bytes((site / "reports/yeast-atac.html").read_bytes())
    # In another process, with another order of sets and dicts of strings.
    program = f"import zoo; zoo.gallery({str(tmp_path / 'again')!r}, reports={str(reports)!r})"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env={"PYTHONHASHSEED": "7", "HOME": "/tmp"})
    files = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()} == files
    assert json.loads(files[Path(MANIFEST)])["files"] == sorted(path.as_posix() for path in files)


def test_torch_is_not_imported(tmp_path):
    program = (
        "import sys, zoo; made = zoo.gallery(sys.argv[1]); heavy = ('torch', 'pandas', 'grelu', 'kipoi');"
        "print([name for name in heavy if name in sys.modules], made.models == len(zoo.entries()))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "site")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[] True"


def test_a_report_is_linked_and_copied(site):
    page = read(site / "models/yeast-atac.html")
    assert "../reports/yeast-atac.html" in page.values("href") and "../reports/yeast-atac.html" in page.values("src")
    assert "a motif report" in (site / "reports/yeast-atac.html").read_text()
    assert "motifs" not in read(site / "models/yeast-nucleosomes.html").ids


def test_reports_of_no_entry_are_told(tmp_path):
    reports = tmp_path / "reports"
    (reports / "deepbind").mkdir(parents=True)
    (reports / "yeast-atacc.html").write_text("x")
    (reports / "deepbind" / "x.html").write_text("x")
    said = []
    zoo.gallery(tmp_path / "site", reports=reports, examples=False, report=said.append)
    assert said == ["2 reports are of no entry that is shown, e.g. deepbind/x.html"]
    with pytest.raises(UsageError, match="no such folder"):
        zoo.gallery(tmp_path / "site", reports=tmp_path / "none")


def test_examples_can_be_left_out(tmp_path):
    made = zoo.gallery(tmp_path / "site", examples=False)
    page = read(made.folder / "models/yeast-atac.html")
    assert "example" not in page.ids and "window" in page.ids


# ---------------------------------------------------------------- where it is written


def test_an_older_gallery_is_replaced_and_nothing_else_is(site, tmp_path):
    out = tmp_path / "site"
    first = zoo.gallery(out, examples=False)
    (out / "models/basset.html").write_text("changed")
    again = zoo.gallery(out, examples=False)
    assert again == first and "changed" not in (out / "models/basset.html").read_text()
    assert first.files == sum(path.is_file() for path in out.rglob("*"))
    assert first.bytes == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert first.index.is_file() and [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("name", ["CNAME", ".git/HEAD", "models/mine.html", "assets/logo.png"])
def test_a_gallery_with_files_of_somebody_else_is_left_alone(tmp_path, name):
    out = tmp_path / "site"
    zoo.gallery(out, examples=False)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    (out / "index.html").write_text("as it was")
    with pytest.raises(UsageError, match="files that no gallery wrote") as error:
        zoo.gallery(out, examples=False)
    assert name in error.value.extent and error.value.fix.startswith("Fix: ")
    assert (out / name).read_text() == "mine" and (out / "index.html").read_text() == "as it was"


@pytest.mark.parametrize("manifest", [None, "", "{}", "[1]", '{"files": "index.html"}', '{"files": [["a"]]}'])
def test_a_folder_of_other_things_is_left_alone(tmp_path, manifest):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "index.html").write_text("mine")
    if manifest is not None:
        (out / MANIFEST).write_text(manifest)
    with pytest.raises(UsageError):
        zoo.gallery(out)
    assert (out / "index.html").read_text() == "mine"


def test_an_empty_folder_and_one_that_is_not_there_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    assert zoo.gallery(tmp_path / "empty", examples=False).index.is_file()
    assert zoo.gallery(tmp_path / "a/b/c", examples=False).index.is_file()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        zoo.gallery(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def test_reports_must_not_be_in_what_is_replaced(tmp_path):
    reports = tmp_path / "site" / "reports"
    zoo.gallery(tmp_path / "site", examples=False)
    reports.mkdir()
    (reports / "basset.html").write_text("mine")
    with pytest.raises(UsageError):
        zoo.gallery(tmp_path / "site", reports=reports)
    assert (reports / "basset.html").read_text() == "mine"


def test_an_error_on_the_way_leaves_the_older_gallery(tmp_path, monkeypatch):
    out = tmp_path / "site"
    zoo.gallery(out, examples=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    from zoo.gallery import gallery as module

    def broken(*_):
        yield "index.html", "half"
        raise RuntimeError("no")

    monkeypatch.setattr(module, "pages", broken)
    with pytest.raises(RuntimeError):
        zoo.gallery(out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_command(tmp_path):
    command = [sys.executable, "-m", "zoo", "gallery", "--no-examples", "-o", str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stderr == ""
    n = len(zoo.entries())
    cards = len({entry.get("group") or entry["name"] for entry in zoo.entries()})
    pattern = rf"{n:,} models on {cards} pages, \d+\.\d (MB|kB): open {re.escape(str(tmp_path / 'site/index.html'))}\n"
    assert re.fullmatch(pattern, done.stdout)
    done = subprocess.run([*command, "--source", "nosuch"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "no source named 'nosuch'" in done.stderr


def test_names_of_pages():
    """By hand: letters that addresses or file systems change are spelled out; no two pages differ in case alone."""
    names = ["a", "A", "a b", "x/y", "x/Y", "..", ".x/-y", "é", "a#b?c%d", "a_x20b"]
    found = places_of(names)
    assert [found[name] for name in names[:5]] == [
        "models/a.html",
        "models/A-2.html",
        "models/a_x20b.html",
        "models/x/y.html",
        "models/x/Y-2.html",
    ]
    assert found[".."] == "models/x...html" and found[".x/-y"] == "models/x.x/x-y.html"
    assert found["é"] == "models/x_xe9.html" and found["a#b?c%d"] == "models/a_x23b_x3fc_x25d.html"
    assert found["a_x20b"] == "models/a_x20b-2.html"
    assert len({place.lower() for place in found.values()}) == len(names)
    long = places_of(["字" * 80, "字" * 79 + "子", "a" * 100, "a" * 101])
    assert len(set(long.values())) == 4 and max(map(len, long.values())) < 130
    assert long["a" * 100] == f"models/{'a' * 100}.html"


def test_half_a_letter_is_no_error(tmp_path):
    from zoo.gallery.gallery import _put

    assert _put(tmp_path / "a/b.html", "x\ud800y") == 3 and (tmp_path / "a/b.html").read_text() == "x?y"


# ---------------------------------------------------------------- cards of other people


def test_a_hostile_card_is_text(foreign):
    check_links(foreign)
    allowed = {"http-equiv", "content", "lang", "charset", "name", "rel", "href", "src", "defer", "class", "id", "role"}
    allowed |= {
        "hidden",
        "type",
        "for",
        "tabindex",
        "autocomplete",
        "spellcheck",
        "placeholder",
        "value",
        "scope",
        "open",
    }
    allowed |= {
        "d",
        "x",
        "y",
        "width",
        "height",
        "viewbox",
        "preserveaspectratio",
        "data-copy",
        "data-model",
        "title",
        "list",
    }
    allowed |= {"data-prefix"}
    for path, page in pages_of(foreign).items():
        for tag, attrs in page.tags:
            unknown = {name for name in attrs if not name.startswith("aria-")} - allowed
            assert not unknown and tag not in ("img", "iframe", "style", "object", "embed", "base", "form"), (path, tag)
            if tag == "script":
                assert re.fullmatch(r"(\.\./)*assets/[a-z]+\.js", attrs["src"])
            if "href" in attrs:
                assert urlsplit(attrs["href"]).scheme in ("", "http", "https", "data"), (path, attrs)
                assert urlsplit(attrs["href"]).scheme != "data" or attrs["href"] == "data:,"
    page = read(foreign / "models/evil/hostile.html")
    assert '<img src=x onerror="document.title=1"><script>document.title=1</script>' in page.text
    assert "javascript:alert(1)" in page.text  # what it asks to cite, as text
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert [link for link in links if "example" in link and link.startswith("http")] == [
        "https://example.org/a?b=1&c=%22d%22",
        "https://evil.example/beacon.png",  # a link that somebody clicks: no image is loaded
    ]
    assert "secret" not in "".join(links) and "passwd" not in "".join(links)
    assert "&lt;b&gt;" in (foreign / "models/evil/hostile.html").read_text()


def test_names_that_are_no_addresses(foreign):
    names = {path.relative_to(foreign / "models").as_posix() for path in (foreign / "models/evil").rglob("*.html")}
    assert names == {
        "evil/gone.html",
        "evil/hostile.html",
        "evil/kept.html",
        "evil/plain/a_x20b_x23c_x3fd_x26e-2.html",
        "evil/plain/A_x20B_x23C_x3fD_x26E.html",
        "evil/plain/x_x252e_x252e.html",
        "evil/plain/x_xfcn_xef.html",
    }
    assert "evil/plain/a b#c?d&e" in read(foreign / "index.html").text


def test_a_notice_of_what_is_deprecated_or_withdrawn(foreign):
    assert "Deprecated: <img src=x" in read(foreign / "models/evil/hostile.html").text
    gone = read(foreign / "models/evil/gone.html").text
    assert "Withdrawn: Its weights were of another model." in gone and "neither runs nor fetches it" in gone
    assert "zoo predict" not in gone and "load_model" not in gone
    cards = " ".join(read(foreign / "index.html").text.split())
    assert cards.count("Status withdrawn") == cards.count("Status deprecated") == 1


def test_older_versions_are_named_on_the_page_of_the_newest(foreign):
    page = " ".join(read(foreign / "models/evil/kept.html").text.split())
    assert "Versions 1.1.0 (this page), evil/kept@1.0.0" in page and "zoo predict evil/kept regions.bed" in page
    assert not (foreign / "models/evil/kept").exists()


def test_the_reader_of_these_tests_sees_what_is_hidden():
    page = Page('<p id="a" onclick="x()">1 &lt;b&gt;</p><script src="y.js"></script>')
    assert page.tags == [("p", {"id": "a", "onclick": "x()"}), ("script", {"src": "y.js"})]
    assert page.text == "1 <b>" and page.ids == ["a"]


# ---------------------------------------------------------------- Kipoi's listing


@pytest.mark.shared
def test_all_of_kipois_models(shared_data, tmp_path, monkeypatch):
    """Counted by hand in its folder: groups with a template, and folders with a model.yaml each."""
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
    folder = shared_data / "d13_kipoi_models_yaml"
    add_source("kipoi", str(folder), trust=False)
    made = zoo.gallery(tmp_path / "site", source=["kipoi", "grelu"])
    listed = zoo.entries("kipoi")
    # 30 models of epidermal_basset are there twice, in a group and as folders: shown once, in the group.
    names = {entry["name"] for entry in listed}
    assert (len(listed), len(names)) == (2206, 2176)
    assert made.models == len(zoo.entries()) + len(names) + len(zoo.entries("grelu")) > 2500
    check_links(made.folder)
    files = [path.relative_to(made.folder / "models/kipoi") for path in (made.folder / "models/kipoi").rglob("*.html")]
    groups = {entry["group"] for entry in listed if entry["group"]}
    alone = names - {entry["name"] for entry in listed if entry["group"]}
    assert len(files) == len(groups) + len(alone)
    page = read(made.folder / "models/kipoi/DeepBind.html")
    assert sum(one.startswith("m-") for one in page.ids) == 927
    assert 'kipoi.get_model("Basset")' in (made.folder / "models/kipoi/Basset.html").read_text().replace("&#34;", '"')
    # Its dataloader reads a VCF, a genome and a GTF, and needs to be told vcf_lazy.
    text = " ".join(read(made.folder / "models/kipoi/APARENT/veff.html").text.replace("\\", "").split())
    assert "variants.vcf -g genome.fa --set gtf_file=FILE --set vcf_lazy=VALUE -o predictions.tsv" in text
    assert "zoo predict" not in read(made.folder / "models/kipoi/MaxEntScan.html").text  # no YAML says what it reads
    assert str(folder) not in "".join(path.read_text() for path in made.folder.rglob("*.html"))
    assert made.bytes < 5e6
