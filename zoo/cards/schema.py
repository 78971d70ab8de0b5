"""The front matter of a card (``README.md`` of an entry), schema version 1.

pydantic stands only at this boundary; the rest of the package passes frozen dataclasses.
A fact stands in one place: what ``model.yaml`` holds (authors, licence, citation, tags,
architecture) is not repeated here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = ["Card", "Evaluation", "FileEntry", "Output"]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/\S*$")]


class Strict(BaseModel):
    """A part of the card: an unknown key is an error, so that a typo is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GenomeSpec(Strict):
    """The genome that the model was trained on."""

    assembly: str
    chrom_style: Literal["ucsc", "plain", "refseq", "genbank"] = "ucsc"


class InputSpec(Strict):
    """What the model sees: ``length`` bp of one-hot sequence."""

    length: int = Field(gt=0)


class Output(Strict):
    """One named output.

    ``offset`` is bp from the start of the window to the start of the first bin. ``strand`` is
    ``unstranded``, a list of [plus track, minus track] pairs that swap on the other strand, or ``sense``: the
    prediction belongs to the strand that is read (a transcript's), and is never averaged with the other's.
    ``n_tracks`` counts names that are not part of the entry: the weights file holds them, or ``tracks_file`` is
    fetched (``files`` of the card says from where).
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

    @model_validator(mode="after")
    def _one_source_of_tracks(self) -> Output:
        elsewhere = self.tracks_file is not None or self.n_tracks is not None
        if (self.tracks is not None) == elsewhere:
            raise ValueError("give either tracks or tracks_file (or n_tracks, where the entry does not hold the names)")
        if self.tracks is not None and len(set(self.tracks)) != len(self.tracks):
            raise ValueError("track names must be unique")
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
    """How to explain the model: which output, method and reference."""

    output: str
    method: str
    reference: str | None = None
    notes: str | None = None


class FileEntry(Strict):
    """A file of the entry with its checksum, verified before use.

    A file with ``mirrors`` lies elsewhere and is fetched into the cache; there an md5 alone serves
    where its source gives nothing better, and the size may be unknown. ``checksum: huggingface`` says that
    nobody published one: it is asked of Hugging Face when the file is first fetched, and recorded then.
    """

    path: str
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    bytes: int | None = Field(default=None, ge=0)
    mirrors: list[Url] = []
    checksum: Literal["huggingface"] | None = None

    @model_validator(mode="after")
    def _checkable(self) -> FileEntry:
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


class Deprecated(Strict):
    """Why this entry should no longer be used, and what to use."""

    replacement: str | None = None
    reason: str


class Card(Strict):
    """The whole front matter.

    ``unverified`` says why nobody has run this entry here: its weights are not part of the repository.
    """

    schema_version: Literal[1]
    name: Name
    version: Version
    summary: str
    genome: GenomeSpec | None = None
    input: InputSpec
    outputs: list[Output] = Field(min_length=1)
    training: Training
    evaluation: list[Evaluation] = []
    interpretation: Interpretation | None = None
    finetune: dict[str, Any] | None = None
    files: list[FileEntry] = []
    unverified: str | None = None
    deprecated: Deprecated | None = None
