"""By what a gallery is narrowed down: facets of models, each by one rule that the page states.

What an entry states is taken as it stands. Assay and species are no keys of a card, and names of cell lines and of
published networks are found beside what the card states: for these an entry's own facts are looked through, place by
place, for the names of the lists below, as whole words; the first place that has any decides. What no place names is
"not stated": a model is never put where it might belong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zoo.gallery.collect import BUNDLED, GRELU, Item

__all__ = ["FACETS", "NOT_STATED", "Facet", "facet_values", "licence_name", "statuses"]

NOT_STATED = "not stated"
NOT_APPLICABLE = "not applicable"  # of a card's `cell_types`

# Name -> what it is called in entries, lower case, as regular expressions between which no letter or digit stands.
ASSAYS = {
    "ATAC-seq": r"(?:sc|sn)?atac[- ]?seq",
    "CAGE": r"cage",
    "ChIP-nexus": r"chip-?nexus",
    "ChIP-seq": r"chip[- ]?seq",
    "DNase-seq": r"dnase(?:[- ]?seq)?",
    "eCLIP": r"eclip(?:-seq)?",
    "HT-SELEX": r"(?:ht-)?selex",
    "MNase-seq": r"mnase[- ]?seq",
    "MPRA": r"(?:sharpr-)?mpra|massively parallel reporter assays?",
    "Protein binding microarray": r"pbm|protein binding microarrays?",
    "RNAcompete": r"rnacompete",
    "RNA-seq": r"rna[- ]seq",
    "RRBS": r"rrbs",
    "scBS-seq": r"scbs-seq",
    "scM&T-seq": r"scm&t-seq",
    "WGBS": r"wgbs",
}
CELLS = {
    "A549": r"a549",
    "GM12878": r"gm12878",
    "H1-hESC": r"h1-?hesc",
    "HCT-116": r"hct-?116",
    "HEK293": r"hek-?293t?",
    "HeLa": r"hela(?:-?s3)?",
    "HepG2": r"hep-?g2",
    "HUVEC": r"huvec",
    "IMR-90": r"imr-?90",
    "Jurkat": r"jurkat",
    "K562": r"k-?562",
    "LNCaP": r"lncap",
    "MCF-7": r"mcf-?7",
    "mESC": r"mesc",
    "NHEK": r"nhek",
    "SK-N-SH": r"sk-?n-?sh",
}
SPECIES = {
    "Arabidopsis": r"arabidopsis(?: thaliana)?|thale cress|tair\d+",
    "Chicken": r"gallus gallus|chicken|galgal\d+",
    "Frog (Xenopus)": r"xenopus tropicalis|xentro\d+",
    "Fruit fly": r"drosophila(?: melanogaster)?|fruit fly|dm\d+",
    "Human": r"human|homo sapiens|hg\d+|grch\d+",
    "Malaria parasite": r"plasmodium falciparum",
    "Mouse": r"mouse|mus musculus|mm\d+|grcm\d+",
    "Rat": r"rattus norvegicus|rn\d+",
    "Worm": r"caenorhabditis elegans|c\. elegans|ce\d+",
    "Yeast (budding)": r"saccharomyces cerevisiae|budding yeast|s\. cerevisiae|saccer\d+",
    "Zebrafish": r"danio rerio|zebrafish|danrer\d+",
    **{
        name: name.lower()
        for name in (
            "Aspergillus nidulans",
            "Leishmania major",
            "Naegleria gruberi",
            "Nematostella vectensis",
            "Neurospora crassa",
            "Ostreococcus tauri",
            "Physcomitrella patens",
            "Phytophthora ramorum",
            "Rhizopus oryzae",
            "Schistosoma mansoni",
            "Tetraodon nigroviridis",
            "Thalassiosira pseudonana",
            "Trichomonas vaginalis",
            "Trypanosoma brucei",
        )
    },
}
ARCHITECTURES = {
    "APARENT": r"aparent",
    "AttentiveChrome": r"attentivechrome|att ?chrome",
    "Basenji": r"basenji2?",
    "Basset": r"(?:sc)?basset",
    "Borzoi": r"borzoi",
    "BPNet": r"(?:chrom)?bpnet",
    "CpGenie": r"cpgenie",
    "DeepBind": r"deepbind",
    "DeepCpG": r"deepcpg",
    "DeepSEA": r"deep ?sea|beluga",
    "Enformer": r"enformer",
    "FactorNet": r"factornet",
    "Gapped k-mer SVM": r"(?:ls)?gkm-?svm",
    "MaxEntScan": r"maxentscan",
    "MMSplice": r"mmsplice|mtsplice",
    "Pangolin": r"pangolin",
    "Position weight matrix": r"pwm|position weight matri(?:x|ces)",
    "SpliceAI": r"(?:open)?spliceai",
    "Xpresso": r"xpresso",
}
LENGTHS = (
    (200, "up to 200 bp"),
    (1_000, "201 to 1,000 bp"),
    (5_000, "1,001 to 5,000 bp"),
    (20_000, "5,001 to 20,000 bp"),
    (200_000, "20,001 to 200,000 bp"),
)
LONGER = "over 200,000 bp"
CHECKED = {"verified": "verified", "partly": "partly verified", "unverified": "not verified"}
# Spellings of licences that mean one; SPDX's names.
LICENCES = {
    r"bsd[- ]3-clause": "BSD-3-Clause",
    r"mit": "MIT",
    r"apache([ -]license)?[ -]v?2(\.0)?": "Apache-2.0",
    r"gpl-?v?3(\.0)?": "GPL-3.0",
    r"cc[- ]by[- ](\d\.\d)": r"CC-BY-\1",
    r"cc[- ]by-nc[- ](\d\.\d)": r"CC-BY-NC-\1",
    r"non-comm?ercial": "non-commercial",
}


@dataclass(frozen=True)
class Facet:
    """A facet: ``key`` of the page's address, label, and the rule by which models get their values."""

    key: str
    label: str
    rule: str


PLACES = (
    "the first of these that names one: the model's name, its row of models.tsv, the data sets of the card and "
    "`trained_on` of model.yaml, the card's summary, the names of its tracks"
)
FACETS = (
    Facet("checked", "Checked", "`verification` of the card: whether predictions were compared with the original's"),
    Facet("task", "Predicts", "`tags` of model.yaml, in Kipoi's words"),
    Facet("assay", "Assay", PLACES),
    Facet("species", "Species", f"the genome's assembly; without one, column `organism` of models.tsv, or {PLACES}"),
    Facet("cell", "Cell type", f"`cell_types` of the card; cell lines too by {PLACES}"),
    Facet(
        "architecture",
        "Architecture",
        "`architecture` of the card; a published network too where the model's name, its class in model.yaml, or the "
        "card's summary names it",
    ),
    Facet("length", "Input length", "`input` of the card, or the dataloader's `auto_resize_len`"),
    Facet("licence", "Licence", "`license` of model.yaml; spellings of one licence are joined"),
    Facet("framework", "Framework", "`defined_as` of model.yaml"),
    Facet("source", "Source", "where the entry comes from"),
)


def facet_values(item: Item, record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values of a model by facet; an empty list where nothing is stated."""
    places = list(_places(item, record))
    return {
        "checked": [CHECKED[status] for status in [_status(record)] if status in CHECKED],
        "task": [str(tag) for tag in record["tags"]],
        "assay": _named(ASSAYS, places),
        "species": _species(item, record, places),
        "cell": _cells(record, places),
        "architecture": [*_named(ARCHITECTURES, _architecture_places(item, record)), *record.get("architecture", ())],
        "length": [_length(record["input_length"])] if record["input_length"] else [],
        "licence": [name for name in [_stated_licence(item, record)] if name],
        "framework": [record["framework"]] if record["framework"] else [],
        "source": ["this zoo" if item.source == BUNDLED else item.source],
    }


def statuses(item: Item) -> dict[str, int]:
    """How many of an item's models are verified, partly verified, not verified, not stated."""
    found: dict[str, int] = {}
    for record in item.records:
        status = CHECKED.get(_status(record), NOT_STATED)
        found[status] = found.get(status, 0) + 1
    return found


def licence_name(text: str | None) -> str | None:
    """The licence by the name that joins its spellings; as it stands where it is none of them."""
    text = " ".join(str(text or "").split())
    for pattern, name in LICENCES.items():
        if match := re.fullmatch(pattern, text.lower()):
            return match.expand(name)
    return text or None


def _status(record: Mapping[str, Any]) -> str:
    return (record.get("verification") or {}).get("status", "")


def _stated_licence(item: Item, record: Mapping[str, Any]) -> str | None:
    """Not the one that Kipoi assumes where model.yaml says nothing."""
    if item.description is not None and not item.description.info.get("license"):
        return None
    return licence_name(record["license"])


def _places(item: Item, record: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a model in the order in which they are looked through."""
    yield record["name"]
    yield " ; ".join(str(value) for key, value in item.row(record).items() if not _is_machine(key, value))
    trained = [data.name for data in item.card.training.data] if item.card and not item.is_group else []
    if item.description is not None:
        trained.append(str(item.description.info.get("trained_on") or ""))
    yield " ; ".join(trained)
    yield record["summary"] if item.card or item.source == GRELU else ""
    yield " ; ".join(track for output in record["outputs"] for track in output["tracks"])


def _is_machine(key: str, value: Any) -> bool:
    """Checksums and addresses of models.tsv: in 32 letters of an md5 stands many a name by chance."""
    return "://" in str(value) or bool(re.search(r"md5|sha256|url|bytes|path", key))


def _architecture_places(item: Item, record: Mapping[str, Any]) -> list[str]:
    named = [record["name"]]
    if item.description is not None:
        description = item.description
        class_name = str(description.args.get("module_class") or description.defined_as.rpartition(".")[2])
        named += [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name), class_name, str(description.info.get("name") or "")]
    return [*named, record["summary"] if item.card or item.source == GRELU else ""]


def _cells(record: Mapping[str, Any], places: list[str]) -> list[str]:
    """What the card states, and the cell lines that are named beside it; of what is of no cell, that alone."""
    stated = list(record.get("cell_types", ()))
    if stated == [NOT_APPLICABLE]:
        return stated
    return list(dict.fromkeys([*_named(CELLS, places), *stated]))


def _species(item: Item, record: Mapping[str, Any], places: list[str]) -> list[str]:
    if assembly := record["assembly"]:
        return _named(SPECIES, [assembly])
    if isinstance(organism := item.row(record).get("organism"), str):
        return _named(SPECIES, [organism]) or [organism]
    return _named(SPECIES, places)


def _named(known: Mapping[str, str], places: Iterable[str]) -> list[str]:
    """The names that the first place which has any of them has."""
    any_of, each = _compiled(tuple(known.items()))
    for text in places:
        text = text.lower().replace("_", " ")
        if any_of.search(text):
            return [name for name, pattern in each if pattern.search(text)]
    return []


@cache
def _compiled(known: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], list[tuple[str, re.Pattern[str]]]]:
    """What finds any of the names, and each."""
    whole = {name: rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])" for name, pattern in known}
    return re.compile("|".join(whole.values())), [(name, re.compile(pattern)) for name, pattern in whole.items()]


def _length(length: int) -> str:
    return next((label for most, label in LENGTHS if length <= most), LONGER)
