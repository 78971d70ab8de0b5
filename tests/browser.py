"""One browser for many pages, spoken to as developers' tools do: its start takes longer than most pages.

Each page has a context of its own: no storage, cache or address of one test is seen by another.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.samples.pictures import BROWSER_OPTIONS

DOM = "document.documentElement.outerHTML"
#: Events that are lines of the console: of scripts, errors that nobody caught, what the browser itself has to say.
CONSOLE = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


class Browser:
    """A browser that runs until it is closed.

    Args:
        program: Chromium or Chrome.
        folder: of its own, for its profile and what it has to say.
        flags: beside those that every page is opened with.
    """

    def __init__(self, program: str, folder: Path, *flags: str) -> None:
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        words = [program, *BROWSER_OPTIONS, *flags, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe"]
        shell = ["sh", "-c", f'exec "$@" 3</dev/fd/{commands} 4>/dev/fd/{answers}', "sh"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*shell, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(commands, answers)
            )
        os.close(commands)
        os.close(answers)
        self._number, self._rest, self._seen = 0, b"", []

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, url: str, width: int, height: int = 1200, budget: int | None = 3000) -> tuple[str, list[str]]:
        """The DOM of a page and the lines of the console.

        Args:
            budget: milliseconds that pass for the page, however long they take; None waits until it is loaded.
        """
        with self._page() as page:
            for domain in ("Page", "Runtime", "Log"):
                self._ask(f"{domain}.enable", page)
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            self._ask("Emulation.setDeviceMetricsOverride", page, **size)
            last = "Page.loadEventFired"
            if budget is not None:
                self._ask("Emulation.setVirtualTimePolicy", page, policy="pause")
                last = "Emulation.virtualTimeBudgetExpired"
            self._seen.clear()
            self._ask("Page.navigate", page, url=url)
            if budget is not None:
                time = {"policy": "pauseIfNetworkFetchesPending", "maxVirtualTimeTaskStarvationCount": 9999}
                self._ask("Emulation.setVirtualTimePolicy", page, budget=budget, **time)
            while not any(event["method"] == last for event in self._of(page)):
                self._read()
            dom = self._ask("Runtime.evaluate", page, expression=DOM)["result"]["value"]
            return dom, [json.dumps(event) for event in self._of(page) if event["method"] in CONSOLE]

    def _of(self, page: str) -> list[dict]:
        """What happened in this page, and not in one that was closed."""
        return [event for event in self._seen if event.get("sessionId") == page]

    @contextmanager
    def _page(self) -> Iterator[str]:
        context = self._ask("Target.createBrowserContext")["browserContextId"]
        target = self._ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        try:
            yield self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        finally:
            self._ask("Target.disposeBrowserContext", browserContextId=context)

    def _ask(self, method: str, session: str | None = None, **parameters: object) -> dict:
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        data = json.dumps(call | ({"sessionId": session} if session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _read(self) -> dict:
        """The next answer or event; events are kept."""
        parts = [self._rest]
        while b"\0" not in parts[-1]:
            parts.append(os.read(self._from, 1 << 20))
            assert parts[-1], f"the browser ended: {self._log.read_text(errors='replace')[-2000:]}"
        message, _, self._rest = b"".join(parts).partition(b"\0")
        answer = json.loads(message)
        if "method" in answer:
            self._seen.append(answer)
        return answer
