"""Scores that were computed before: a folder that keeps them, so that no variant is scored twice.

    DIR/store.json                 what is in it, for people and for who opens it
    DIR/MODEL-0123456789ab.sqlite  one shelf: scores of one model under one set of conditions
    DIR/genomes.json               sha256 of genomes that were read, by path, size and date

A shelf's conditions (``run.conditions``) are all that can change a bit of a score: the sha256 of the model's
files, of what its card says of inputs and outputs and of the genome; options, columns, versions of PyTorch and NumPy,
processor, threads, size of a batch. An entry is found by the chromosome, the trimmed alleles, REF as given where it is
not the genome's, and the gene. So one change written in two ways is one entry, and other conditions are another shelf,
never a wrong number.

SQLite takes care of several runs at once and of a run that dies: what it had not finished writing is undone when the
shelf is opened next. Each entry has a checksum of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ModelError, SystemStateError, UsageError
from zoo.files import sha256_of
from zoo.results.check_out import DISK_FULL, check_folder
from zoo.results.whole import replacing
from zoo.variants.run.conditions import differences
from zoo.variants.run.scorer import Row, Scorer, Task
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.variants.alleles.allele import Allele, Edit
    from zoo.variants.scores.genes import Gene
    from zoo.variants.windows.aligned import Predicted

__all__ = ["Shelf", "Store", "StoredScorer"]

FORMAT = 1
ABOUT = "scores of `zoo variants --store`; a shelf a model and set of conditions; a shelf may be deleted at any time"
HEAD = struct.Struct("<qi")  # start of the window, unknown bases in it
CHECK = struct.Struct("<I")
KEPT_AT_ONCE = 1000
KEPT_SECONDS = 10.0
BUSY_SECONDS = 120.0


class Store:
    """The folder; made when the first score is asked for.

    Args:
        folder: as given.
        inputs: files that the run reads.

    Raises:
        UsageError: a folder that holds something else, or no place to write. SystemStateError: of a later version of
            this package, or damaged.
    """

    def __init__(self, folder: str | Path, *, inputs: Iterable[str | Path | None] = ()) -> None:
        self.folder = check_folder(folder, inputs=inputs, option="--store")
        self.list = self.folder / "store.json"
        self._check()

    def _make(self) -> None:
        with _explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.list.exists():
                self._write(self.list, {"about": ABOUT, "format": FORMAT, "shelves": []})

    def _check(self) -> None:
        if not self.list.is_file():
            others = [path for path in self.folder.glob("*") if not _is_ours(path)]
            if others:
                raise UsageError(
                    f"--store {self.folder}: is a folder that is not a store",
                    f"it holds {others[0].name}" + (f" and {len(others) - 1:,} more" if len(others) > 1 else ""),
                    f"Fix: --store {self.folder / 'scores'}, or another folder",
                )
            return
        found = _json(self.list).get("format")
        if found != FORMAT:
            raise SystemStateError(
                f"--store {self.folder}: is a store of format {found}, here format {FORMAT} is read",
                "",
                "Fix: another folder with --store, or the version of seqzoo that made it",
            )

    def genome_sha256(self, genome: Genome) -> str:
        """sha256 of the FASTA, read whole once: later runs know it by path, size and date."""
        self._make()
        path = genome.path.resolve()
        stat = path.stat()
        known, mine = self.folder / "genomes.json", [stat.st_size, stat.st_mtime_ns]
        kept = _json(known) if known.is_file() else {}
        if kept.get(str(path), [None])[:-1] == mine:
            return kept[str(path)][-1]
        found = sha256_of(path)
        with _explained(self.folder):
            self._write(known, kept | {str(path): [*mine, found]})
        return found

    def shelf(self, key: Mapping[str, Any], n_columns: int) -> Shelf:
        """The scores under these conditions; made where there are none yet.

        Args:
            key: of ``conditions``.
        """
        self._make()
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(str(key["model"])).name).strip(".-")[:60] or "model"
        path = self.folder / f"{name}-{_digest_of(key)[:12]}.sqlite"
        return Shelf(path, key, n_columns)

    def notes_on(self, shelf: Shelf) -> list[str]:
        """Where a shelf is empty and others hold scores of its model: what is different with them."""
        if len(shelf):
            return []
        found = []
        for path, key, entries in self._shelves([]):
            if path != shelf.path and entries and key.get("files") == shelf.key["files"]:
                differ = ", ".join(differences(key, shelf.key)[:4])
                found.append(f"{counted(entries, 'score')} of {key['model']} in {path.name} {_are(entries)}: {differ}")
        return [f"not used of the store: {text}" for text in found[:3]]

    def update_list(self) -> None:
        """Write ``store.json`` anew from what the shelves say of themselves."""
        damaged: list[Path] = []
        shelves: list[dict[str, Any]] = [
            {"file": path.name, "entries": entries, "bytes": path.stat().st_size} | key
            for path, key, entries in self._shelves(damaged)
        ]
        shelves += [{"file": path.name, "damaged": True} for path in damaged]
        with _explained(self.folder):
            self._write(self.list, {"about": ABOUT, "format": FORMAT, "shelves": shelves})

    def _shelves(self, damaged: list[Path]) -> Iterator[tuple[Path, dict[str, Any], int]]:
        """Those that can be read; others, which this run does not need, are put into ``damaged``."""
        for path in sorted(self.folder.glob("*.sqlite")):
            try:
                with _reading(path) as connection:
                    (text,) = connection.execute("SELECT value FROM facts WHERE name = 'conditions'").fetchone()
                    found = json.loads(text), connection.execute("SELECT count(*) FROM scores").fetchone()[0]
            except (sqlite3.Error, TypeError, ValueError):
                damaged.append(path)
                continue
            yield path, *found

    @staticmethod
    def _write(path: Path, content: Mapping[str, Any]) -> None:
        with replacing(path, shared=True) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class Shelf:
    """Scores of one model under one set of conditions.

    Rows are asked for, kept and written by several threads of a run.

    Attributes:
        path, key: the file, and the conditions.
        found, kept: rows taken from the shelf, and put into it.

    Raises:
        ModelError: the file holds scores of other conditions. SystemStateError: it is damaged, or cannot be written.
    """

    def __init__(self, path: Path, key: Mapping[str, Any], n_columns: int) -> None:
        self.path, self.key, self.n_columns = path, dict(key), n_columns
        self.found = self.kept = 0
        self._contigs: list[str] = []
        self._pending: dict[bytes, bytes] = {}
        self._saved = time.monotonic()
        self._lock = threading.Lock()
        with _explained(path):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._make()

    def _make(self) -> None:
        text = json.dumps(self.key, sort_keys=True)
        with self._transaction() as run:
            run("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT)")
            run("CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            run("INSERT OR IGNORE INTO facts VALUES ('conditions', ?)", (text,))
            found = run("SELECT value FROM facts WHERE name = 'conditions'").fetchone()[0]
        if found != text:
            self._connection.close()
            differ = differences(json.loads(found), self.key)
            raise ModelError(
                f"{self.path}: holds scores of {json.loads(found).get('model')} under other conditions",
                f"{counted(len(differ), 'thing differs', 'things differ')}: {', '.join(differ[:4])}",
                f"Fix: rm {self.path}; its scores are computed again",
            )

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection.execute
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def __len__(self) -> int:
        with self._lock, _explained(self.path):
            return self._connection.execute("SELECT count(*) FROM scores").fetchone()[0]

    def on(self, genome: Genome) -> Shelf:
        """Name chromosomes by those of this genome; before the first allele."""
        self._contigs = list(genome.sizes)
        return self

    def known(self, allele: Allele, gene: Gene | None) -> Row | None:
        """The row that is kept of an allele and gene, or None."""
        key = self._key(allele, gene)
        with self._lock, _explained(self.path):
            data = self._pending.get(key)
            if data is None:
                found = self._connection.execute("SELECT value FROM scores WHERE key = ?", (key,)).fetchone()
                if found is None:
                    return None
                data = self._checked(key, found[0])
        start, unknown = HEAD.unpack_from(data)
        values = np.frombuffer(data, "<f4", self.n_columns, HEAD.size).astype(np.float32)
        self.found += 1
        return Row(allele, gene, "", start, unknown, values)

    def keep(self, row: Row) -> None:
        """Keep a row that was computed; one without scores is not kept."""
        if row.values is not None and row.status == "":
            data = HEAD.pack(row.start, row.unknown) + np.ascontiguousarray(row.values, "<f4").tobytes()
            with self._lock:
                self._pending[self._key(row.allele, row.gene)] = data
        if len(self._pending) >= KEPT_AT_ONCE or time.monotonic() - self._saved > KEPT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, in one transaction."""
        with self._lock, _explained(self.path):
            if self._pending:
                entries = [(key, data + _check(key, data)) for key, data in self._pending.items()]
                with self._transaction():
                    self._connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", entries)
                self.kept += len(entries)
                self._pending.clear()
            self._saved = time.monotonic()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self.flush()
        self._connection.close()

    def _key(self, allele: Allele, gene: Gene | None) -> bytes:
        of_gene = [gene.id, gene.start, gene.end, gene.strand] if gene is not None else None
        what = [self._contigs[allele.contig], _of(allele.edit), _of(allele.written), of_gene]
        return hashlib.blake2b(json.dumps(what).encode(), digest_size=16).digest()

    def _checked(self, key: bytes, stored: bytes) -> bytes:
        data = stored[: -CHECK.size]
        if len(data) != HEAD.size + 4 * self.n_columns or stored[-CHECK.size :] != _check(key, data):
            raise _damaged(self.path, "the checksum of an entry is another one")
        return data


class StoredScorer(Scorer):
    """A scorer that computes what a shelf does not have, and puts it there.

    Args:
        shelf: under the conditions of the run. others: of ``Scorer``.
    """

    def __init__(self, *others: Any, shelf: Shelf) -> None:
        super().__init__(*others, known=shelf.known)
        self.shelf = shelf.on(self.genome)

    def row(self, task: Task, predictions: Sequence[Predicted]) -> Row:
        """As ``Scorer.row``; kept where it was computed."""
        row = super().row(task, predictions)
        if task.row is None:
            self.shelf.keep(row)
        return row


def _is_ours(path: Path) -> bool:
    """Whether a file is one of a store's, also where ``store.json`` is missing; hidden ones count as that."""
    return path.name == "genomes.json" or ".sqlite" in path.suffix or path.name.startswith(".")


def _of(edit: Edit | None) -> list[Any] | None:
    return [edit.start, edit.ref, edit.alt] if edit is not None else None


def _check(key: bytes, data: bytes) -> bytes:
    return CHECK.pack(zlib.crc32(data, zlib.crc32(key)))


def _digest_of(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()


def _are(n: int) -> str:
    return "is of other conditions" if n == 1 else "are of other conditions"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise _damaged(path, "it is no JSON of this package")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _damaged(path: Path, why: str) -> SystemStateError:
    scores = "; its scores are computed again" if path.suffix == ".sqlite" else "; it is made again"
    return SystemStateError(f"{path}: is damaged", why, f"Fix: rm {path}{scores}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What SQLite and the file system say, as an error that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text:
            raise SystemStateError(f"{path}: the disk is full", "", "Fix: free space") from error
        if "locked" in text or "locking" in text:
            raise SystemStateError(
                f"{path}: is locked by another run, or its file system has no locks",
                f"waited {BUSY_SECONDS:.0f} s",
                "Fix: wait for the other run, or --store on a local disk",
            ) from error
        if "readonly" in text or "unable to open" in text:
            raise SystemStateError(f"{path}: cannot be written: {text}", "", "Fix: check its permissions") from error
        if "I/O error" in text:  # nothing says that what the file holds is wrong
            raise SystemStateError(
                f"{path}: could not be read or written: {text}",
                "",
                "Fix: check the disk, its space, and how large a file may become (ulimit -f); then repeat the command",
            ) from error
        raise _damaged(path, text) from error
    except OSError as error:
        full = error.errno in DISK_FULL
        what = "the disk is full" if full else f"cannot be written: {error.strerror}"
        raise SystemStateError(f"{path}: {what}", "", "Fix: free space" if full else "Fix: check the folder") from error
