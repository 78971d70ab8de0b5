"""The front matter of a card (``README.md`` of an entry) in the newest version; `zoo.cards.upgrade` has the others.

pydantic stands only at this boundary; the rest of the package passes frozen dataclasses.
A fact stands in one place: what ``model.yaml`` holds (authors, licence, citation, tags,
architecture) is not repeated here.

**Weights that lie elsewhere.** ``model.yaml`` names a file of the folder that is not there, and ``files`` says where it
is published; mirrors are tried in order::

    # model.yaml                       # README.md
    args:                              files:
      weights: model.h5                  - path: model.h5
                                           sha256: d1e1...
                                           bytes: 268760
                                           mirrors:
                                             - pypi:mmsplice==2.4.0/mmsplice/models/Donor.h5
                                             - https://raw.githubusercontent.com/OWNER/REPO/COMMIT/PATH

``pypi:NAME==VERSION/PATH`` is the file PATH in the wheel of that release, which pip fetches and nobody installs. A file
of a repository is named at its commit. pip fetches a wheel whole: ``wheels: {NAME==VERSION: BYTES}`` of the card says
how much that is, which is told beforehand. What Kipoi itself shall fetch stands in ``model.yaml`` as ``{url, md5}``; an
item of ``files`` with that md5 or URL adds sha256, size and further mirrors.

**Weights that are made** of published files which are no state dict (a pickled module, Keras files, a frozen graph), or
of several files: one safetensors file, read without running anything and checked tensor by tensor::

    files:
      - path: weights.safetensors          # args.weights of model.yaml, kipoi.model.PyTorchModel
        tensors_sha256: 5f1c...            # of the result; a wrong one is refused with the right one beside it
        made_from:
          - reader: keras-h5
            prefix: "members.0."           # before each name; the names of all sources must differ
            sha256: 459f...
            bytes: 2920000
            mirrors: [pypi:spliceai==1.3.1/spliceai/models/spliceai1.h5]

Readers, and the names that they give to tensors (shapes are those of the file; nothing is turned or renamed):

- ``pickle``: a whole torch module: the names of its ``state_dict``; a linear model of scikit-learn: ``weight, bias``.
- ``state-dict``: a file of ``torch.save(model.state_dict())``: its names.
- ``keras-h5``: HDF5 of Keras: paths below ``model_weights``, such as ``conv1d_1/conv1d_1/kernel:0``.
- ``tensorflow-graph``: a frozen GraphDef: its floating constants by the name of their node.

The module of the entry loads these names: one with other names renames, turns and drops them in a hook
(``self.register_load_state_dict_pre_hook``), so that it is one ``load_state_dict``. `zoo pull` fetches and makes;
``zoo pull --to FOLDER`` writes the sources for a machine without a network, where ``zoo cache add FOLDER`` knows them
again.

**A group** is one folder with ``model-template.yaml`` and ``models.tsv``, Kipoi's own way. Its card is a template too:
``{{ column }}`` in the front matter of README.md (in quotes) is replaced by the row's value, and ``name`` must be
``FOLDER/{{ model }}``, or ``FOLDER-{{ model }}`` where the models are known so. Its examples may share one HDF5 file: a
group ``<model>/preds`` for each that has one; or, where each has one output of the same shape, their names in a dataset
``models`` and a row of ``preds`` for each.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from zoo.cards.upgrade import newest

__all__ = [
    "READERS",
    "Card",
    "Deprecated",
    "Evaluation",
    "FileEntry",
    "FileSource",
    "Output",
    "Verification",
    "card_json_schema",
]

EntryName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")
]  # with a slash: a model of a group
EntryReference = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*(@\d+\.\d+\.\d+)?$")
]  # name, or name@version
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/\S*$")]
#: An http address, or a file in a wheel: ``pypi:NAME==VERSION/path/in/the/wheel``.
Mirror = (
    Url | Annotated[str, StringConstraints(pattern=r"^pypi:[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+/[^\s\\]+$")]
)


Word = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Strict(BaseModel):
    """A part of the card: an unknown key is an error, so that a typo is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GenomeSpec(Strict):
    """The genome that the model was trained on."""

    assembly: str
    chrom_style: Literal["ucsc", "plain", "refseq", "genbank"] = "ucsc"


class InputSpec(Strict):
    """What the model sees: ``length`` bp of one-hot sequence.

    ``outside_gene`` is for a model that reads the strand of a gene (``strand: sense``): whether bases of the window
    outside the gene are N, ``masked``, as in SpliceAI's program, or those of the ``genome``, as in Pangolin's. ``zoo
    variants`` does as it says; absent, it is ``genome``.

    ``placed_on`` is for a model whose windows must stand on something: what that is, and where in the window ("a
    transcription start site, 7,000 bp after the window's start"). A window elsewhere gives a number without a meaning:
    ``zoo variants``, which lays windows around variants, refuses the model.
    """

    length: int = Field(gt=0)
    outside_gene: Literal["masked", "genome"] | None = None
    placed_on: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] | None = None


class Output(Strict):
    """One named output.

    ``offset`` is bp from the start of the window to the start of the first bin. ``strand`` is
    ``unstranded``, a list of [plus track, minus track] pairs that swap on the other strand, or ``sense``: the
    prediction belongs to the strand that is read (a transcript's), and is never averaged with the other's.
    ``n_tracks`` counts names that are not part of the entry: the weights file holds them, or ``tracks_file`` is
    fetched (``files`` of the card says from where). ``absent`` names tracks whose number is the probability that there
    is nothing (``neither`` of splice models): where ALT lacks a base, ``zoo variants`` takes 1 for them, 0 for others.
    ``softmax`` says that the numbers are those of a softmax and sum to one: over the ``tracks``, the ``bins``, ``all``
    tracks and bins together, or over each group of tracks that is named. Averages (of both strands, of moved windows)
    are then of its logits.
    """

    name: Name
    kind: Literal["scalar", "profile"]
    tracks: list[str] | None = None
    tracks_file: str | None = None
    n_tracks: int | None = Field(default=None, gt=0)
    bin_size: int = Field(default=1, gt=0)
    offset: int = Field(default=0, ge=0)
    units: str | None = None
    transform: str | None = None
    strand: Literal["unstranded", "sense"] | list[tuple[str, str]] = "unstranded"
    absent: list[str] | None = None
    softmax: Literal["tracks", "bins", "all"] | list[list[str]] | None = None

    @model_validator(mode="after")
    def _one_source_of_tracks(self) -> Output:
        elsewhere = self.tracks_file is not None or self.n_tracks is not None
        if (self.tracks is not None) == elsewhere:
            raise ValueError("give either tracks or tracks_file (or n_tracks, where the entry does not hold the names)")
        if self.tracks is not None and len(set(self.tracks)) != len(self.tracks):
            raise ValueError("track names must be unique")
        if self.tracks is not None and (unknown := sorted(set(self.absent or ()) - set(self.tracks))):
            raise ValueError(f"absent: {unknown[0]} is none of the tracks")
        return self

    @model_validator(mode="after")
    def _softmax_of_several(self) -> Output:
        if isinstance(self.softmax, str):
            if self.softmax != "tracks" and self.kind == "scalar":
                raise ValueError(f"softmax: a scalar has no bins, so that {self.softmax!r} does not fit it; `tracks`")
            return self
        named = [track for group in self.softmax or () for track in group]
        if self.softmax is not None and min(map(len, self.softmax), default=0) < 2:
            raise ValueError("softmax: a group has two tracks or more")
        if len(set(named)) != len(named):
            raise ValueError("softmax: a track is in one group")
        if self.tracks is not None and (unknown := sorted(set(named) - set(self.tracks))):
            raise ValueError(f"softmax: {unknown[0]} is none of the tracks")
        return self


class DataSource(Strict):
    """One training data set."""

    name: str
    accession: str | None = None
    licence: str


class Splits(Strict):
    """Chromosomes (or a file of regions) of each part."""

    train: list[str] | str
    validation: list[str] | str
    test: list[str] | str


class Training(Strict):
    """Where the weights came from."""

    data: list[DataSource]
    splits: Splits | None = None
    base_model: str | None = None
    code: str | None = None
    seed: int | None = None


class Baseline(Strict):
    """What a simpler predictor reaches on the same items."""

    name: str
    value: float


class Evaluation(Strict):
    """One measured metric beside one baseline. ``ci`` is a 95% interval."""

    metric: str
    value: float
    ci: tuple[float, float] | None = None
    n: int | None = None
    split: str
    output: str
    baseline: Baseline | None = None
    command: str | None = None
    reported_by: str | None = None


class Interpretation(Strict):
    """How to explain the model: which output, method and reference.

    ``units`` are those of the logits, where they are other than the output's: ``log Tn5 cuts per bin``.
    """

    output: str
    method: str
    reference: str | None = None
    units: str | None = None
    notes: str | None = None


Reader = Literal["pickle", "state-dict", "keras-h5", "tensorflow-graph"]
READERS: tuple[str, ...] = get_args(Reader)


def _inside(mirrors: list[str]) -> list[str]:
    """Members of a wheel are named by plain paths."""
    for mirror in mirrors:
        if mirror.startswith("pypi:") and re.search(r"(^|/)\.{0,2}(/|$)", mirror.partition("==")[2].partition("/")[2]):
            raise ValueError(
                f"{mirror}: the path after the version must be that of a file in the wheel, without . or .."
            )
    return mirrors


Mirrors = Annotated[list[Mirror], AfterValidator(_inside)]


class FileSource(Strict):
    """A published file of which another is made: where it is, its checksum, and how its tensors are read."""

    reader: Reader
    mirrors: Mirrors = Field(min_length=1)
    sha256: Sha256
    bytes: int = Field(ge=0)
    prefix: str = ""


class FileEntry(Strict):
    """A file of the entry with its checksum, verified before use.

    A file with ``mirrors`` lies elsewhere and is fetched into the cache; there an md5 alone serves
    where its source gives nothing better, and the size may be unknown. ``checksum: huggingface`` says that
    nobody published one: it is asked of Hugging Face when the file is first fetched, and recorded then.
    A file with ``made_from`` is made in the cache, of the tensors of published files; ``tensors_sha256`` is over names,
    dtypes, shapes and bytes in the order of names (`zoo.convert.readers.tensors_sha256`).
    """

    path: str
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    bytes: int | None = Field(default=None, ge=0)
    mirrors: Mirrors = []
    checksum: Literal["huggingface"] | None = None
    made_from: list[FileSource] = []
    tensors_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _checkable(self) -> FileEntry:
        if self.made_from or self.tensors_sha256:
            return self._makeable()
        if self.checksum is not None:
            if self.sha256 or self.md5:
                raise ValueError("checksum: huggingface is for a file without sha256 and md5")
            if len(self.mirrors) != 1 or not self.mirrors[0].startswith("https://huggingface.co/"):
                raise ValueError("checksum: huggingface needs one mirror, at https://huggingface.co/")
            return self
        if self.sha256 is None and (self.md5 is None or not self.mirrors):
            raise ValueError("give sha256 (md5 alone serves for a file with mirrors)")
        if self.bytes is None and not self.mirrors:
            raise ValueError("give bytes (only a file with mirrors may leave it out)")
        return self

    def _makeable(self) -> FileEntry:
        if not (self.made_from and self.tensors_sha256):
            raise ValueError("made_from and tensors_sha256 go together")
        if self.sha256 or self.md5 or self.bytes is not None or self.mirrors or self.checksum:
            raise ValueError("a file that is made has made_from and tensors_sha256; its sources have the rest")
        if not self.path.endswith(".safetensors"):
            raise ValueError("a file that is made is safetensors: let its path end in .safetensors")
        return self


class Verification(Strict):
    """How far the entry was checked against what its authors published.

    ``verified``: predictions with these very weights were compared with ``against``, by ``command``, on ``date``, and
    differ by ``largest_difference`` at most, in the outputs' units. ``partly``: so was a part, and ``note`` says which.
    ``unverified``: nobody ran it here, and ``note`` says why.
    """

    status: Literal["verified", "partly", "unverified"]
    against: str | None = None
    date: datetime.date | None = None
    command: str | None = None
    largest_difference: float | None = Field(default=None, ge=0)
    note: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Verification:
        if self.status == "unverified":
            if self.note is None or self.largest_difference is not None:
                raise ValueError("unverified: note says why; there is no largest_difference")
            return self
        missing = [name for name in ("against", "date", "command", "largest_difference") if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.status}: give {', '.join(missing)}")
        if self.status == "partly" and self.note is None:
            raise ValueError("partly: note says which part was compared")
        return self


class Deprecated(Strict):
    """Why this entry should no longer be used, since when, and what takes its place: ``name`` or ``name@version``."""

    by: EntryReference | None = Field(
        default=None, validation_alias=AliasChoices("by", "replacement")
    )  # which the first cards wrote
    reason: str = Field(min_length=1)
    since: datetime.date | None = None


class Card(Strict):
    """The whole front matter.

    ``licence_note`` says in a few words what the licence of the weights (``info.license`` of model.yaml) forbids or
    asks for ("not for commercial use"): told at the first fetch, in `zoo info` and in OUT.run.json.
    ``wheels`` are the bytes of each release that a mirror of ``files`` takes a file from.
    ``architecture`` names what the network is made of (convolutional, dilated, residual, recurrent, attention, U-Net,
    dense ...), and ``cell_types`` in which cells or tissues its training data were measured; ``not applicable`` where
    no cell was: experiments in vitro, annotations of genes, organisms of one cell.
    ``deprecated`` entries run, and say what to use instead; ``withdrawn`` says why this one must not be used any more:
    it is shown, and neither run nor fetched.
    """

    schema_version: Annotated[int, Field(ge=1)] = Field(default_factory=newest)
    name: EntryName
    version: Version
    summary: str
    architecture: list[Word] = []
    cell_types: list[Word] | Literal["not applicable"] = []
    genome: GenomeSpec | None = None
    input: InputSpec
    outputs: list[Output] = Field(min_length=1)
    training: Training
    evaluation: list[Evaluation] = []
    interpretation: Interpretation | None = None
    finetune: dict[str, Any] | None = None
    files: list[FileEntry] = []
    wheels: dict[str, Annotated[int, Field(gt=0)]] = {}
    licence_note: str | None = None
    verification: Verification | None = None
    deprecated: Deprecated | None = None
    withdrawn: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] | None = None


def card_json_schema() -> dict[str, Any]:
    """JSON Schema of the newest front matter, for editors: ``docs/card.schema.json`` is this."""
    schema = Card.model_json_schema(mode="validation")
    schema["properties"]["schema_version"] = {"const": newest(), "title": "Schema Version"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Front matter of a card of seqzoo",
    } | {key: value for key, value in schema.items() if key != "title"}
