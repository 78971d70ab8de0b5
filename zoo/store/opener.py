"""Open http and https addresses, and nothing else: no file:, ftp: or data:, also not by redirection."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Redirects", "open_url"]


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http and never out of http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise urllib.error.HTTPError(req.full_url, code, f"refused: redirects from {old} to {new}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(request: urllib.request.Request, timeout: float) -> Any:
    """Send a request; proxies are those of the environment.

    Raises:
        urllib.error.HTTPError: the status is not 2xx, or a redirect was refused.
        urllib.error.URLError, OSError: no connection.
    """
    # urllib.request.build_opener would add ftp:, file: and data:.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener.open(request, timeout=timeout)
