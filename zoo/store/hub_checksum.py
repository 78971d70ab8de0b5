"""The checksum of a file that nobody published, taken from Hugging Face when the file is first fetched.

Hugging Face names a large file by its sha256 and says so before it sends it. That finds every damage of the transfer.
That the file is the one its authors meant rests on Hugging Face the first time; from then on it is recorded, and a
file that was changed there since is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.errors import FetchError
from zoo.results import replacing
from zoo.store.remote import RemoteFile

__all__ = ["ask_hub", "record", "recorded"]

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
    from zoo.store.hub import hub_errors

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
