"""What is known of a model, as ``zoo.info`` gives it: a plain dict that shows itself as a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.notebook import card_html
from zoo.store.speed import speed_line

__all__ = ["EntryFacts", "where_windows_stand"]

SHOWN = 8  # outputs of a card
TRACKS = 4  # and tracks of an output


class EntryFacts(dict[str, Any]):
    """The facts of ``zoo info --json`` by name; ``json.dumps`` and ``dict`` take it as it is."""

    def _repr_rows(self) -> list[tuple[str, str]]:
        length = self.get("input_length")
        checked = (self.get("verification") or {}).get("status")
        rows = [
            ("genome", self.get("assembly")),
            ("input", f"{length:,} bp of sequence{where_windows_stand(self)}" if length else ""),
            ("licence", self.get("license")),
            ("framework", self.get("framework")),
            ("checked", checked),
            ("parameters", f"{self['parameters']:,}" if "parameters" in self else ""),
            *(("speed", speed_line(run)) for run in self.get("benchmark", ())),
        ]
        outputs = self.get("outputs") or []
        rows += [("output", _output(out)) for out in outputs[:SHOWN]]
        rows += [("", f"and {len(outputs) - SHOWN:,} more outputs")] if len(outputs) > SHOWN else []
        return [(name, str(value)) for name, value in rows if value]

    def __repr__(self) -> str:
        """Name, version, summary and a line a fact."""
        lines = [f"<{self._title()}: {self.get('summary') or ''}".rstrip(": ")]
        return "\n".join([*lines, *(f"  {name:<11}{value}" for name, value in self._repr_rows())]) + ">"

    def _repr_html_(self) -> str:
        name = self.get("name", "")
        use = f'zoo.load_model("{name}")' if name else ""
        return card_html(self._title(), "", [("", self.get("summary")), *self._repr_rows()], foot=use)

    def _title(self) -> str:
        return " ".join(str(one) for one in (self.get("name"), self.get("version")) if one) or "model"


def _output(out: dict[str, Any]) -> str:
    tracks = [str(one) for one in out.get("tracks") or []]
    n = out.get("n_tracks") or len(tracks)
    names = ", ".join(tracks[:TRACKS]) + (f", ... ({n:,} tracks)" if n > TRACKS else "")
    bins = f"; bins of {out['bin_size']} bp" if out.get("kind") == "profile" and out.get("bin_size") else ""
    told = names or f"{n:,} tracks"
    return f"{out.get('name')} ({out.get('kind')}): {told}{bins}; units {out.get('units') or 'not given'}"


def where_windows_stand(facts: Mapping[str, Any]) -> str:
    """What follows the length of a model's input: what its windows stand on, and what stands outside a gene."""
    placed = f", placed on {facts['placed_on']}" if facts.get("placed_on") else ""
    outside = {"masked": ", N outside the gene", "genome": ", the genome's bases outside the gene"}
    return placed + outside.get(facts.get("outside_gene") or "", "")
