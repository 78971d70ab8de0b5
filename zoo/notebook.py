"""What a notebook shows: a card of a model or of predictions, and a bar of how far a run is.

Cards take the colours of the page that they stand in, light or dark: they set none of their own. Nothing here imports
IPython: where a kernel runs, it is there already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["NotebookBar", "card_html", "in_notebook"]

LINE = "rgba(128,128,128,.45)"  # seen on white and on black
CARD = f"border:1px solid {LINE};border-radius:4px;padding:.5em .8em;display:inline-block;max-width:60em;color:inherit"
CELL = "text-align:left;vertical-align:top;padding:.1em .9em .1em 0;border:0;background:none;color:inherit"
TRACK = f"height:6px;max-width:30em;border:1px solid {LINE};border-radius:3px"


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook (Jupyter, Colab, VS Code), and not IPython on a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def card_html(
    title: str,
    subtitle: str = "",
    facts: Iterable[tuple[str, Any]] = (),
    heads: Sequence[str] = (),
    rows: Iterable[Sequence[Any]] = (),
    foot: str = "",
) -> str:
    """A card as HTML, all texts escaped.

    Args:
        facts: pairs of a name and what is known; what is empty or None is left out.
        heads, rows: a table below them.
        foot: a line at the end.
    """
    parts = [f"<div><b>{escape(title)}</b>{f' {escape(subtitle)}' if subtitle else ''}</div>"]
    told = [(name, value) for name, value in facts if value not in (None, "")]
    parts += [_table([], told)] if told else []
    rows = list(rows)
    parts += [_table(heads, rows)] if rows else []
    parts += [f'<div style="opacity:.75">{escape(foot)}</div>'] if foot else []
    return f'<div class="zoo-card" style="{CARD}">{"".join(parts)}</div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col" style="{CELL}">{escape(str(one))}</th>' for one in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{escape(str(one))}</td>' for one in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<table style="border-collapse:collapse;margin:.3em 0;color:inherit">{top}<tbody>{body}</tbody></table>'


class NotebookBar:
    """One output of the cell, which is replaced and never added to."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str, share: float | None) -> None:
        """Put the text, and a bar of the share that is done, where they stood before."""
        state = _BarState(text, share)
        if self._handle is not None:
            self._handle.update(state)
            return
        # As `from IPython.display import display` would give it.
        display = sys.modules["IPython.core.display_functions"].display
        self._handle = display(state, display_id=True)


class _BarState:
    """How a bar looks now; without HTML (a console on a kernel) it is its text."""

    def __init__(self, text: str, share: float | None) -> None:
        self._text, self._share = text, share

    def __repr__(self) -> str:
        return f"zoo: {self._text}"

    def _repr_html_(self) -> str:
        bar = ""
        if self._share is not None:
            done = f"{100 * min(max(self._share, 0.0), 1.0):.1f}"
            bar = (
                f'<div role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{done}" '
                f'style="{TRACK}"><div style="width:{done}%;height:100%;background:#4078c0"></div></div>'
            )
        return f'<div class="zoo-progress">{bar}<div>{escape(self._text)}</div></div>'
