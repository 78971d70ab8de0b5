"""``zoo check``: entries against the rules of the zoo, at one of three levels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.card import read_tracks
from zoo.cards.kipoi_groups import find_group
from zoo.cards.yaml_lines import component_file
from zoo.check.changed import Changes, changes_since, check_scope
from zoo.check.confine import Limits
from zoo.check.draft import Draft, read_draft
from zoo.check.findings import LEVELS, Finding
from zoo.check.names import check_names, check_older, check_version
from zoo.check.record import record_files
from zoo.check.report import check_report_out, write_report
from zoo.check.results import CheckReport, EntryResult
from zoo.check.runs import Ran, run_entry, run_kipoi
from zoo.check.valid import check_valid
from zoo.check.valid.links import check_addresses
from zoo.errors import FetchError, UsageError, ZooError
from zoo.store.registry import entries, entries_folder, find_entry, given_folder

if TYPE_CHECKING:
    import numpy as np

__all__ = ["check", "target"]

RTOL, ATOL = 1e-4, 1e-5


def check(
    names: str | Path | Iterable[str | Path] = (),
    *,
    changed: str | None = None,
    level: str = "valid",
    record: bool = False,
    data: Path | None = None,
    urls: bool = False,
    kipoi: bool = True,
    limits: Limits | None = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    keep: Path | None = None,
    reports: Iterable[Path] = (),
    note: Callable[[str], None] | None = None,
    done: Callable[[EntryResult], None] | None = None,
) -> CheckReport:
    """Check entries; Python of an entry runs confined, in a process of its own.

    Args:
        names: entries or groups by name, or their folders; none stands for all that are bundled.
        changed: a commit: those entries that differ from where the branch left it, and no others.
        level: ``valid`` (its files), ``runs`` (what it does) or ``reproduces`` (what its card says).
        record: first write the checksums of the files of ``names``, as they are, into their cards.
        data: folder with the data of metrics, for level reproduces; the word DIR of a command stands for it.
        urls: ask the addresses of cards too.
        kipoi: let Kipoi load each entry that runs.
        limits: of what runs.
        rtol, atol: tolerance of the example, as in `zoo test`.
        keep: where predictions that differ are kept; the current folder.
        reports: files to write: ``.html``, ``.json``, or ``.md``, which is safe to post as a comment.
        note: takes what was recorded.
        done: takes each result when it is there.

    Raises:
        UsageError: no such level or commit, names beside ``changed``, ``record`` without names, or a report that
            cannot be written.
        ModelError: no entry of that name, or a card that cannot be recorded.
    """
    given = [names] if isinstance(names, str | Path) else list(names)
    if level not in LEVELS:
        raise UsageError(f"--level {level}: is not known", "", f"Fix: one of {', '.join(LEVELS)}")
    if given and changed is not None:
        raise UsageError(
            "names beside --changed", "", "Fix: `zoo check yeast-atac`, or `zoo check --changed origin/main`"
        )
    if record and not given:
        raise UsageError("--record without a name", "it writes into the card", "Fix: zoo check NAME --record")
    reports = [check_report_out(path) for path in reports]
    for name in given if record else ():
        recorded = record_files(target(str(name))[0])
        if note:
            note(f"{name}: " + (f"recorded {', '.join(recorded)}" if recorded else "all checksums are right already"))
    report = CheckReport(level)
    if changed is not None:
        report.changed = changes_since(changed)
        report.general += check_scope(report.changed)
    run = _Run(report, limits or Limits(), data, kipoi, rtol, atol, keep or Path())
    targets = _targets(given, report.changed)
    drafts = []
    for folder, member in targets:
        result = run.check(folder, member)
        drafts.append(read_draft(folder) if urls else None)
        report.results.append(result)
        if done:
            done(result)
    if urls:
        report.general += check_addresses(one for one in drafts if one is not None)
    for path in reports:
        write_report(report, path)
    return report


def _targets(given: list[str | Path], changes: Changes | None) -> list[tuple[Path, str | None]]:
    """Folders, each with the name of a model of a group where one was asked for."""
    if changes is not None:
        return [(folder, None) for folder in changes.entries]
    if not given:
        return [(folder, None) for folder in _entry_folders(entries_folder())]
    return [target(str(name)) for name in given]


def target(name: str) -> tuple[Path, str | None]:
    """The folder of an entry or group by name or path, and of a model of a group its name there.

    Raises:
        ModelError: no such entry.
    """
    if (folder := given_folder(name)) is not None:
        return folder.resolve(), None
    path = Path(name)
    if (entries_folder() / name).is_dir():
        return entries_folder() / name, None
    found = path if find_group(path, "model") else find_entry(name)[0]
    if found.is_dir():
        return found, None
    group = find_group(found, "model")
    return (group[0].folder, group[1]) if group else (found, None)


def _entry_folders(folder: Path) -> list[Path]:
    """Folders of a folder that are entries, or look as if they should be."""
    kinds = ("model", "model-template")
    return [
        one
        for one in sorted(folder.iterdir())
        if one.is_dir() and (any(component_file(one, kind) for kind in kinds) or (one / "README.md").is_file())
    ]


@dataclass
class _Run:
    """One call of `check`: what its entries share."""

    report: CheckReport
    limits: Limits
    data: Path | None
    kipoi: bool
    rtol: float
    atol: float
    keep: Path
    known: dict[str, dict[str, np.ndarray] | None] = field(default_factory=dict)

    def check(self, folder: Path, member: str | None) -> EntryResult:
        draft = read_draft(folder)
        name = f"{draft.name}/{member}" if member else draft.name
        seconds: dict[str, float] = {}
        started = time.monotonic()
        findings = [*check_valid(draft), *check_names(draft, self._neighbours(folder))]
        if self.report.changed is not None:
            base, root = self.report.changed.base, self.report.changed.root
            findings += [*check_version(draft, base, root), *check_older(draft, base, root)]
        seconds["valid"] = time.monotonic() - started
        facts: dict[str, Any] = {}
        if self.report.level != "valid":
            started = time.monotonic()
            ran = self._run(draft, name, member)
            findings += ran.findings
            facts = ran.facts
            seconds[self.report.level] = time.monotonic() - started
        version = draft.card.version if draft.card else None
        return EntryResult(name, version, folder, self.report.level, findings, facts, seconds)

    def _neighbours(self, folder: Path) -> list[Path]:
        """The bundled entries, and those beside the one under check."""
        found = {one.resolve(): one for one in _entry_folders(entries_folder())}
        if self.report.changed is not None:  # of the repository that is checked, which may be another clone
            found = {}
        return [*(found | {one.resolve(): one for one in _entry_folders(folder.parent)}).values()]

    def _run(self, draft: Draft, name: str, member: str | None) -> Ran:
        level = self.report.level
        if draft.card is None or draft.description is None:
            what = "was not run: its card or model.yaml cannot be read"
            return Ran([Finding(name, "runs", "run", "note", what)])
        member = member or (draft.members[0] if draft.members else None)
        entry = draft.folder / member if member else draft.folder
        if (missing := self._fetched(entry, name)) is not None:
            return Ran([missing])
        ran = run_entry(name, entry, draft.folder, level, self.limits, rtol=self.rtol, atol=self.atol, keep=self.keep)
        self.report.guards = ran.guards or self.report.guards
        self.known[name] = self.known[str(draft.folder)] = ran.fingerprint
        if draft.members and len(draft.members) > 1 and name == draft.name:
            what = f"of {len(draft.members):,} models of the group, {member} was run"
            ran.findings.append(Finding(name, level, "run", "note", what, f"`zoo test {name}` runs all"))
        if any(one.severity == "error" for one in ran.findings):
            return ran
        if self.kipoi and not draft.members and draft.has_own_weights:
            ran.findings += run_kipoi(name, draft.folder, self.limits)
        if level == "reproduces":
            ran.findings += self._reproduced(draft, name, ran)
        return ran

    def _reproduced(self, draft: Draft, name: str, ran: Ran) -> list[Finding]:
        from zoo.check.figures import check_figures
        from zoo.check.twins import check_twins

        sizes = sorted(len(read_tracks(draft.folder, output)) for output in draft.card.outputs)
        others = [*entries(), *self._beside(draft)]
        length = draft.card.input.length
        twins = check_twins(name, ran.fingerprint, length, sizes, others, self._fingerprint)
        figures = check_figures(name, draft.folder, draft.card, self.data, self.limits)
        return [*twins, *figures]

    def _beside(self, draft: Draft) -> list[dict[str, Any]]:
        """Records of entries beside one that is not bundled."""
        from zoo.store.registry import info

        if draft.folder.parent.resolve() == entries_folder().resolve():
            return []
        found = []
        for one in _entry_folders(draft.folder.parent):
            if one.name != draft.name and component_file(one, "model"):
                try:
                    found.append(info(one) | {"name": str(one)})
                except ZooError:
                    continue
        return found

    def _fingerprint(self, name: str) -> dict[str, np.ndarray] | None:
        if name not in self.known:
            folder, member = target(name)
            path = folder / member if member else folder
            if self._fetched(path, name) is not None:
                self.known[name] = None
            else:
                ran = run_entry(name, path, folder, "fingerprint", self.limits, rtol=self.rtol, atol=self.atol)
                self.known[name] = ran.fingerprint
        return self.known[name]

    def _fetched(self, entry: Path, name: str) -> Finding | None:
        """Fetch what the entry needs, before it is confined; by this package, which runs nothing of the entry."""
        from zoo.cards.kipoi import read_model
        from zoo.models.files import here
        from zoo.store.remote import remote_files

        try:
            description = read_model(entry)
            for remote in remote_files(description).values():
                here(description, remote)
        except FetchError as error:
            what = f"was not run: {error.what}"
            return Finding(name, "runs", "fetch", "warning", what, error.fix.removeprefix("Fix: "))
        except ZooError as error:
            return Finding(name, "runs", "fetch", "warning", f"was not run: {error.what}", error.fix)
        return None
