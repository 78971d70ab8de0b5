"""Models of Hugging Face: ``hf://org/repo[@revision][/file]``, fetched by huggingface_hub into its own cache.

A revision is resolved to a commit, and the name with that commit is what run records hold.
huggingface_hub is imported only when a repo is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from zoo.errors import FetchError, ModelError, UsageError
from zoo.extras import needs
from zoo.files import cache_folder
from zoo.results.whole import replacing
from zoo.words import near_names

if TYPE_CHECKING:
    from zoo.store.remote import RemoteFile

__all__ = [
    "SCHEME",
    "HubModel",
    "ask_hub",
    "fetch_model",
    "grelu_listing",
    "hub_errors",
    "hub_module",
    "is_hub_name",
    "listed_entry",
    "pushing",
    "record",
    "recorded",
    "refresh_grelu_listing",
]

SCHEME = "hf://"
GRELU = "grelu/"
COLLECTION = "Genentech/grelu-model-zoo-6977ba73500cd09b6bbec0ae"
LISTING = Path(__file__).resolve().parent.parent / "data" / "grelu_models.json"
#: What huggingface_hub speaks through, by its version.
HTTP_CLIENTS = ("requests", "httpx", "httpx2")
DESCRIPTION, CHECKPOINT = "model.yaml", "model.ckpt"
NAME = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^/]+))?(?:/(?P<file>.+))?")

# Keys that a listing leaves out where nothing is known.
_EMPTY: dict[str, Any] = {
    "cite_as": None,
    "summary": "",
    "architecture": [],
    "cell_types": [],
    "assembly": None,
    "input_length": None,
    "placed_on": None,
    "outside_gene": None,
    "outputs": [],
    "evaluation": [],
    "deprecated": None,
    "withdrawn": None,
    "licence_note": None,
    "wheels": {},
    "group": None,
    "verification": {"status": "unverified", "note": "Listed from public pages; the weights were never fetched here."},
}


@dataclass(frozen=True)
class HubModel:
    """A fetched model.

    Attributes:
        path: checkpoint file, or folder with ``model.yaml``.
        repo, commit: where it is from; the commit is None where a cache does not tell.
        file: in the repo, or None for a whole folder.
        hashes: resolved path -> sha256 of the files that were verified.
    """

    path: Path
    repo: str
    commit: str | None
    file: str | None
    hashes: dict[Path, str] = field(default_factory=dict)

    @property
    def pinned(self) -> str:
        """The name with its commit, which fetches the same again."""
        commit, file = f"@{self.commit}" if self.commit else "", f"/{self.file}" if self.file else ""
        return SCHEME + self.repo + commit + file


def is_hub_name(name: str | Path) -> bool:
    """Whether a model's name is ``hf://...``, or ``grelu/...`` of the listing."""
    return str(name).startswith((SCHEME, GRELU))


def fetch_model(name: str) -> HubModel:
    """Fetch what a name stands for, or find it in the cache.

    Without a file, a repo with ``model.yaml`` is taken whole, else ``model.ckpt`` or the only ``.ckpt``.

    Raises:
        UsageError: not ``hf://org/repo[@revision][/file]``.
        FetchError: no such repo, revision or file; gated; no connection; offline and not cached.
        SystemStateError: huggingface_hub is not installed.
    """
    if name.startswith(GRELU):
        name = _listed(name)
    match = NAME.fullmatch(name.rstrip("/"))
    if match is None:
        raise UsageError(f"{name!r} is no name of a Hugging Face model", "", "Fix: hf://org/repo[@revision][/file]")
    repo, file = match["repo"], match["file"]
    revision = unquote(match["revision"]) if match["revision"] else None
    _hub()
    if file is None:
        file = _explained(lambda: _choose_file(repo, revision), repo, revision, None)
    if Path(file).name == DESCRIPTION:
        return _fetch_folder(repo, revision, Path(file).parent)
    path = _explained(lambda: _download(repo, file, revision), repo, revision, file)
    return HubModel(path, repo, _commit_of(path, repo), file, _verified([path]))


def _hub() -> Any:
    with needs("huggingface_hub", "a model of Hugging Face"):
        import huggingface_hub
        import huggingface_hub.errors
        from huggingface_hub.utils import logging
    logging.set_verbosity_error()  # each of its tries to connect would be a line of its own
    return huggingface_hub


def hub_module() -> Any:
    """huggingface_hub.

    Raises:
        SystemStateError: it is not installed.
    """
    return _hub()


def pushing(repo: str, folder: Path, message: str, *, private: bool) -> str:
    """Upload a folder to a repo, which is made where it is not there; return the commit.

    Raises:
        FetchError: no connection, no token, or no permission. ModelError: its metadata are refused. Nothing was
            committed then.
    """
    hub, what = _hub(), SCHEME + repo
    if _options()["local_files_only"]:
        raise _unreachable(what, ConnectionError("offline"))
    api = hub.HfApi()

    def send() -> str:
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message).oid)
        except hub.errors.HfHubHTTPError as error:  # an answer: there is a connection
            raise _not_sent(what, error) from None
        except ValueError as error:  # what it says of the metadata of README.md
            detail = " ".join(str(error).split())[:200]
            raise ModelError(f"{what}: is not taken: {detail}", "nothing was sent", "Fix: correct the card") from None

    return str(_explained(send, repo, None, None))


def _not_sent(what: str, error: Any) -> FetchError:
    status = error.response.status_code
    if status in (401, 403):
        return FetchError(
            f"{what}: cannot be written with the token of this machine",
            "there is none, or it may not write to this organisation; nothing was sent",
            "Fix: `hf auth login` with a token that may write",
        )
    return FetchError(
        f"{what}: Hugging Face answered {status}: {' '.join(str(error).split())[:160]}", "", "Fix: try later"
    )


def _options() -> dict[str, Any]:
    """Cache folder and whether the network may be used, as the environment says now."""
    from zoo.files import is_offline

    home = os.environ.get("HF_HOME")
    cache = os.environ.get("HF_HUB_CACHE") or (os.path.join(home, "hub") if home else None)
    return {"cache_dir": cache, "local_files_only": is_offline()}


def _download(repo: str, file: str, revision: str | None) -> Path:
    return Path(_hub().hf_hub_download(repo, file, revision=revision, **_options()))


def _fetch_folder(repo: str, revision: str | None, below: Path) -> HubModel:
    def snapshot() -> Path:
        # Other checkpoints of the repo can be many times as large as the entry.
        return Path(_hub().snapshot_download(repo, revision=revision, **_options()))

    path = _explained(snapshot, repo, revision, None)
    folder = path / below
    if not (folder / DESCRIPTION).is_file():
        raise _not_found(f"{SCHEME}{repo}", f"the cached copy holds no {(below / DESCRIPTION).as_posix()}", repo)
    file = None if below == Path(".") else (below / DESCRIPTION).as_posix()
    return HubModel(folder, repo, path.name, file, _verified(sorted(folder.rglob("*"))))


def _choose_file(repo: str, revision: str | None) -> str:
    files = _files(repo, revision)
    for wanted in (DESCRIPTION, CHECKPOINT):
        if wanted in files:
            return wanted
    checkpoints = [file for file in files if file.endswith(".ckpt")]
    if len(checkpoints) == 1:
        return checkpoints[0]
    example = f"hf://{repo}/{checkpoints[0]}" if checkpoints else "a repo with model.yaml or a gReLU checkpoint"
    raise ModelError(
        f"hf://{repo}: {'several checkpoints' if checkpoints else 'holds no model'}",
        f"it holds {', '.join((checkpoints or files)[:8]) or 'nothing'}",
        f"Fix: {example}",
    )


def _files(repo: str, revision: str | None) -> list[str]:
    """Files of a repo: of the cached copy when offline or without a connection."""
    hub, options = _hub(), _options()
    try:
        if not options["local_files_only"]:
            return sorted(item.rfilename for item in hub.HfApi().model_info(repo, revision=revision).siblings or [])
    except Exception as error:
        if isinstance(error, hub.errors.HfHubHTTPError) or not is_lost_connection(error):
            raise
        try:
            return _cached_files(repo, revision, options)
        except hub.errors.LocalEntryNotFoundError:
            raise error from None
    return _cached_files(repo, revision, options)


def _cached_files(repo: str, revision: str | None, options: dict[str, Any]) -> list[str]:
    folder = Path(_hub().snapshot_download(repo, revision=revision, **options | {"local_files_only": True}))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _commit_of(path: Path, repo: str) -> str | None:
    """The commit in ``models--org--repo/snapshots/<commit>/file``."""
    parts = path.parts
    for i, part in enumerate(parts[:-2]):
        if part == "models--" + repo.replace("/", "--") and parts[i + 1] == "snapshots":
            return parts[i + 2]
    return None


def _verified(paths: Iterable[Path]) -> dict[Path, str]:
    """Resolved path -> sha256 of the files that the cache names by their checksum, once each is that."""
    found = {path.resolve(): _verify_blob(path) for path in paths if path.is_file()}
    return {path: sha256 for path, sha256 in found.items() if sha256}


def _verify_blob(path: Path) -> str | None:
    """The cache names a large file by its sha256 and a small one by git's sha1: what is used must be that.

    Returns:
        The sha256; None where the file is not named so.

    Raises:
        FetchError: it is not.
    """
    blob = path.resolve()
    if blob == path or blob.parent.name != "blobs":
        return None
    sha256 = named = hashlib.sha256()
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        named = hashlib.sha1(b"blob %d\0" % blob.stat().st_size)
    elif not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return None
    with blob.open("rb") as handle:
        while block := handle.read(1 << 20):
            for digest in {sha256, named}:
                digest.update(block)
    if named.hexdigest() != blob.name:
        raise FetchError(
            f"{path}: the cached file is not what Hugging Face holds",
            f"expected checksum {blob.name[:16]}..., found {named.hexdigest()[:16]}...",
            f"Fix: rm {blob}, then fetch it again",
        )
    return sha256.hexdigest()


def _explained(
    action: Callable[[], Any], repo: str, revision: str | None, file: str | None, scheme: str = SCHEME
) -> Any:
    """Run an action of huggingface_hub; its errors become ours."""
    errors = _hub().errors
    what = scheme + repo + (f"@{revision}" if revision else "") + (f"/{file}" if file else "")
    try:
        return action()
    except errors.GatedRepoError:
        raise FetchError(
            f"{what}: access is limited by its authors",
            "nothing was fetched",
            f"Fix: ask for access on huggingface.co/{repo}, then `hf auth login`",
        ) from None
    except errors.RevisionNotFoundError:
        raise _not_found(what, f"the repo has no revision {revision!r}", repo) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _unreachable(what, error) from None
    except errors.RepositoryNotFoundError:
        raise _not_found(what, "no such repo, or a private one", repo) from None
    except errors.EntryNotFoundError:
        raise _not_found(what, f"the repo has no file {file!r}", repo) from None
    except errors.HFValidationError as error:
        detail = " ".join(str(error).split())
        raise UsageError(f"{what}: {detail}", "", "Fix: hf://org/repo[@revision][/file]") from None
    except Exception as error:
        if not is_lost_connection(error):
            raise
        raise _unreachable(what, error) from None


def is_lost_connection(error: Exception) -> bool:
    """Whether an error is of the network, or of the client that huggingface_hub speaks through.

    That is requests up to 0.36, httpx in 1 and httpx2 in 2. None of them is ours to import: their classes are known
    by where they are defined.
    """
    of_client = any(base.__module__.partition(".")[0] in HTTP_CLIENTS for base in type(error).__mro__)
    return of_client or isinstance(error, ConnectionError | TimeoutError)


def hub_errors(action: Callable[[Any], Any], url: str) -> Any:
    """Run an action of huggingface_hub on the address of a file; its errors become ours."""
    hub = _hub()
    if _options()["local_files_only"]:
        raise _unreachable(url, ConnectionError("offline"))
    return _explained(lambda: action(hub), url, None, None, scheme="")


def _not_found(what: str, why: str, repo: str) -> FetchError:
    return FetchError(f"{what}: not found", why, f"Fix: see what huggingface.co/{repo} holds, and correct the name")


def _unreachable(what: str, error: Exception) -> FetchError:
    from zoo.files import is_offline

    if is_offline():
        return FetchError(
            f"{what}: is not in the cache, and the network may not be used",
            "HF_HUB_OFFLINE or ZOO_OFFLINE is set",
            "Fix: unset them and fetch it once with a connection (HF_HOME names the cache)",
        )
    detail = _reason(error)
    fix = "Fix: check the connection, then try again; what is cached is kept"
    return FetchError(f"{what}: Hugging Face cannot be reached", detail, fix)


def _reason(error: Exception) -> str:
    """Why there is no connection, in a few words: the error that began a chain of them."""
    text = " ".join(f"{error} {error.__cause__ or ''} {error.__context__ or ''}".split())
    if "NameResolutionError" in text or "Name or service not known" in text:
        return "its name cannot be resolved: there is no connection, or none to a name server"
    return next((words for words in ("Connection refused", "timed out") if words in text), text[:200])


def _cached_listing() -> Path:
    return cache_folder() / "sources" / "grelu_models.json"


def grelu_listing() -> list[dict[str, Any]]:
    """The models of gReLU's collection, with the keys of ``zoo/index.json``.

    ``name`` is ``grelu/<repo>[/<file>]`` and ``path`` its ``hf://`` name; both can be loaded.
    The shipped listing, or the one that ``refresh_grelu_listing`` left in the cache.
    """
    try:
        found = json.loads(_cached_listing().read_text(encoding="utf-8"))["entries"]
    except (OSError, ValueError, KeyError):
        found = json.loads(LISTING.read_text(encoding="utf-8"))["entries"]
    return [_EMPTY | entry | {"remote": [_remote(entry["path"])]} for entry in found]


def _remote(path: str) -> dict[str, Any]:
    file = path.split("/")[-1] if path.endswith(".ckpt") else CHECKPOINT
    return {"name": file, "hosts": "huggingface.co", "bytes": None, "sha256": None, "md5": None}


def _listed(name: str) -> str:
    """The ``hf://`` name of ``grelu/<repo>[/<file>]``."""
    return listed_entry(name)["path"]


def listed_entry(name: str) -> dict[str, Any]:
    """What the listing says of ``grelu/<repo>[/<file>]``.

    Raises:
        ModelError: it has no such model.
    """
    entries = {entry["name"]: entry for entry in grelu_listing()}
    if name in entries:
        return entries[name]
    below = [entry for entry in entries if entry.startswith(name.rstrip("/") + "/")]
    near = near_names(name, entries)
    extent = (
        f"it has {', '.join(below)}"
        if below
        else f"near names: {', '.join(near)}"
        if near
        else (f"{len(entries)} are known")
    )
    raise ModelError(f"no model named {name!r} in gReLU's collection", extent, "Fix: `zoo list --source grelu`")


def refresh_grelu_listing() -> list[dict[str, Any]]:
    """Read the collection from Hugging Face, keep it in the cache, and return it.

    What the shipped listing knows of a model is kept; checkpoints and models that are new are added.

    Raises:
        FetchError: offline or unreachable. SystemStateError: huggingface_hub is not installed.
    """
    hub = _hub()
    known = {entry["path"]: entry for entry in json.loads(LISTING.read_text(encoding="utf-8"))["entries"]}

    def read() -> list[Any]:
        if _options()["local_files_only"]:
            raise hub.errors.OfflineModeIsEnabled("offline")
        api = hub.HfApi()
        items = [item.item_id for item in api.get_collection(COLLECTION).items if item.item_type == "model"]
        return [api.model_info(item) for item in items]

    found: list[dict[str, Any]] = []
    for info in _explained(read, COLLECTION, None, None):
        found += [_EMPTY | facts | _given(known.get(path, {})) for path, facts in _facts(info).items()]
    target = _cached_listing()
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, shared=True) as partial:
        partial.write_text(json.dumps({"collection": COLLECTION, "entries": found}, indent=1) + "\n", encoding="utf-8")
    return found


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    """What the shipped listing says, without the version that was fetched."""
    return {key: value for key, value in facts.items() if value not in (None, "", []) and key != "version"}


def _facts(info: Any) -> dict[str, dict[str, Any]]:
    """``hf://`` name -> record, one a checkpoint of a repo."""
    files = sorted(sibling.rfilename for sibling in info.siblings or [])
    checkpoints = [CHECKPOINT] if CHECKPOINT in files else [file for file in files if file.endswith(".ckpt")]
    card = info.card_data.to_dict() if info.card_data else {}
    records = {}
    for file in checkpoints:
        alone = len(checkpoints) == 1
        path = f"{SCHEME}{info.id}" + ("" if file == CHECKPOINT else f"/{file}")
        short = info.id.partition("/")[2].removesuffix("-model")
        records[path] = {
            "name": GRELU + short + ("" if alone else f"/{file.removesuffix('.ckpt')}"),
            "version": info.sha[:7],
            "path": path,
            "license": card.get("license"),
            "tags": list(card.get("tags") or []),
            "authors": [info.id.partition("/")[0]],
            "framework": "grelu",
        }
    return records


# ---------------- the checksum of a file that nobody published, from Hugging Face

# Hugging Face names a large file by its sha256 and says so before it sends it. That finds every damage of the transfer.
# That the file is the one its authors meant rests on Hugging Face the first time; from then on it is recorded, and a
# file that was changed there since is refused.


FOLDER = "hub"


def _place(remote: RemoteFile, cache: Path) -> Path:
    return cache / FOLDER / f"{hashlib.sha256(remote.urls[0].encode()).hexdigest()[:32]}.json"


def recorded(remote: RemoteFile, cache: Path) -> RemoteFile | None:
    """The file with the checksum that was recorded when it was first fetched; None before that."""
    try:
        known = json.loads(_place(remote, cache).read_text(encoding="utf-8"))
        return replace(remote, sha256=known["sha256"], bytes=known["bytes"], urls=(known["url"], *remote.urls))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ask_hub(remote: RemoteFile) -> RemoteFile:
    """The file with the checksum and size that Hugging Face gives for it now, at the commit of now.

    Raises:
        FetchError: it cannot be reached, or gives no sha256.
        SystemStateError: huggingface_hub is not installed.
    """
    url = remote.urls[0]
    found = hub_errors(lambda hub: hub.get_hf_file_metadata(url), url)
    if not re.fullmatch(r"[0-9a-f]{64}", found.etag or ""):
        raise FetchError(
            f"{url}: Hugging Face gives no sha256 for it",
            "nothing is fetched unchecked",
            "Fix: fetch the file yourself and give its path",
        )
    pinned = url.replace("/resolve/main/", f"/resolve/{found.commit_hash}/", 1) if found.commit_hash else url
    return replace(remote, sha256=found.etag, bytes=found.size, urls=(pinned, *remote.urls))


def record(remote: RemoteFile, known: RemoteFile, cache: Path) -> None:
    """Keep what a fetched file was checked against."""
    path = _place(remote, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"url": known.urls[0], "sha256": known.sha256, "bytes": known.bytes}
    with replacing(path, shared=True) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
