"""The texts of a track hub and of an IGV session: names, labels, colours, stanzas.

Rules: https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html and trackDb/trackDbHub.html, as UCSC's hubCheck
applies them. Track names are letters, digits and underscores, and unique; a short label has at most 17 characters, a
long one at most 76. IGV: https://igv.org/doc/desktop, "Sessions"; paths are relative to the session's file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as xml

__all__ = ["HUB", "HubFacts", "HubTrack", "email_of", "genomes_txt", "hub_txt", "igv_session", "labelled", "track_db"]

SHORT, LONG, NAME, UNITS = 17, 76, 80, 20  # characters of the labels, of a track's name, and of units
#: Tracks that are drawn when a hub or session is opened; the others are a click away.
DRAWN = 20
#: Pairs of strands that are overlaid each; of more, tracks stand below each other in one composite.
OVERLAID = 10
#: Nobody reads it: whoever publishes a hub puts an address there.
EMAIL = "nobody@example.org"

PLUS, MINUS = (0, 90, 181), (220, 50, 32)  # told apart by the colour-blind
# Okabe and Ito (2008) without yellow and black, which a white page or text hides.
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233))
SIGNAL = ("visibility full", "autoScale on", "alwaysZero on", "maxHeightPixels 128:48:8")


MARK = "seqzoo.json"
#: ``Writer.store``: how an older hub is known.
HUB = (MARK, "track hub of this program")


@dataclass(frozen=True)
class HubFacts:
    """What a hub says beside its values.

    Attributes:
        model, version: of the entry.
        genome: the assembly, by UCSC's name.
        chroms: chromosome as in the regions file -> UCSC's name; others keep theirs.
        strands: (output, track) -> its strand, and the track of the other one.
        locus: where a session opens: ``chrom:start-end``, counted from 1.
    """

    model: str
    version: str | None
    genome: str
    chroms: Mapping[str, str]
    strands: Mapping[tuple[str, str], tuple[str, str]]
    locus: str


@dataclass(frozen=True)
class HubTrack:
    """One bigWig of a hub.

    Attributes:
        output, track: of the model.
        units: of the values; None where they are not known.
        strand: ``"+"``, ``"-"``, or ``""`` where it belongs to none.
        partner: the track of the other strand.
        name: unique, of letters, digits and underscores. short, long: labels.
        file: name of its bigWig, beside trackDb.txt.
        low, high: least and largest value.
        colour: red, green, blue.
    """

    output: str
    track: str
    units: str | None
    strand: str
    partner: str
    name: str
    short: str
    long: str
    file: str
    low: float = 0.0
    high: float = 1.0
    colour: tuple[int, int, int] = COLOURS[0]

    @property
    def limits(self) -> str:
        """``bigWig MIN MAX``."""
        return _type(self.low, self.high)


def labelled(
    model: str,
    tracks: Iterable[tuple[str, str, str | None]],
    strands: Mapping[tuple[str, str], tuple[str, str]],
    several: bool,
) -> list[HubTrack]:
    """Names, labels, files and colours for (output, track, units).

    Args:
        model: name of the model, for the long labels.
        strands: (output, track) -> (``"+"`` or ``"-"``, the track of the other strand).
        several: whether there are several outputs, whose names tracks then carry.
    """
    used, short, found = set(), set(), []
    for output, track, units in tracks:
        whole = f"{output}_{track}" if several else track
        strand, partner = strands.get((output, track), ("", ""))
        name = _unique(_symbol(whole), used, NAME, "_")
        colour = {"+": PLUS, "-": MINUS}.get(strand, COLOURS[len(found) % len(COLOURS)])
        found.append(
            HubTrack(
                output,
                track,
                units,
                strand,
                partner,
                name,
                _unique(_shortened(_plain(f"{output} {track}" if several else track)), short, SHORT, " "),
                _long(model, f"{output}/{track}" if several else track, strand, units),
                f"{name}.bw",
                colour=colour,
            )
        )
    return found


def _symbol(text: str) -> str:
    """Letters, digits and underscores, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(text)).strip("_")[:NAME] or "track"
    return plain if plain[0].isalpha() else f"t_{plain}"[:NAME]


def _unique(text: str, used: set[str], room: int, gap: str) -> str:
    """The text, with a number behind it where it is taken; some file systems do not tell a from A."""
    found, number = text, 2
    while found.lower() in used:
        end = f"{gap}{number}"
        found, number = f"{text[: room - len(end)].rstrip()}{end}", number + 1
    used.add(found.lower())
    return found


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _plain(text: str) -> str:
    """One line of ASCII that a stanza can hold: UCSC reads ``$`` as a variable, and ``\\`` at the end goes on."""
    return " ".join(re.sub(r"[^ -~]|[$\\<>]", " ", _ascii(text)).split()) or "track"


def _shortened(text: str) -> str:
    """At most 17 characters: names of tracks differ at their ends more often than in the middle."""
    return text if len(text) <= SHORT else f"{text[:7].rstrip()}..{text[-8:].lstrip()}"


def _long(model: str, track: str, strand: str, units: str | None) -> str:
    """``model: track, + strand, units``.

    Where that is too long the model goes, which the hub names; then the units are cut, which the tracks of an output
    share, down to ``UNITS``; then the middle of the track's name.
    """
    of_strand, measure = f", {strand} strand" if strand else "", _plain(units) if units else "units not given"
    name = _plain(track)
    for begin in (f"{_plain(model)}: {name}", name):
        if len(whole := f"{begin}{of_strand}, {measure}") <= LONG:
            return whole
    measure = _cut(measure, max(UNITS, LONG - len(name) - len(of_strand) - 2))
    room = LONG - len(of_strand) - len(measure) - 2
    if len(name) > room:
        name = f"{name[: (room - 2) // 2].rstrip()}..{name[-((room - 1) // 2) :].lstrip()}"
    return f"{name}{of_strand}, {measure}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 2].rstrip(' ,;:')}.."


def _type(low: float, high: float) -> str:
    """A range that is none (one value alone, or none at all) is opened to one."""
    if not high > low:
        low, high = min(low, 0.0), max(high, low + 1.0, 1.0)
    return f"bigWig {low:.9g} {high:.9g}"


# ---------------------------------------------------------------- UCSC


def email_of(folder: Path) -> str:
    """The address that an older hub names, which the new one keeps; where there is none, that of nobody."""
    try:
        text = (folder / "hub.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return EMAIL
    found = re.search(r"(?m)^email[ \t]+(\S+@\S+)[ \t]*$", text)
    return found[1] if found else EMAIL


def hub_txt(model: str, version: str | None, email: str = EMAIL) -> str:
    """``hub.txt``."""
    what = f"{_plain(model)}{f' {version}' if version else ''}"
    lines = [
        f"hub seqzoo_{_symbol(model)}",
        f"shortLabel {_shortened(_plain(model))}",
        f"longLabel {f'Predictions of {what}, by seqzoo'[:LONG]}",
        "genomesFile genomes.txt",
        f"email {email}",
    ]
    return "\n".join(lines) + "\n"


def genomes_txt(genome: str) -> str:
    """``genomes.txt``."""
    return f"genome {genome}\ntrackDb {genome}/trackDb.txt\n"


def track_db(tracks: Sequence[HubTrack]) -> str:
    """``trackDb.txt``: a stanza a track, tracks of an output in a composite, pairs of strands overlaid."""
    names = {track.name.lower() for track in tracks}
    stanzas: list[str] = []
    drawn = 0
    for output in dict.fromkeys(track.output for track in tracks):
        mine = [track for track in tracks if track.output == output]
        for group in _groups(mine):
            shown = [drawn + i < DRAWN for i in range(len(group))]
            drawn += len(group)
            if len(group) == 1:
                stanzas.append(_single(group[0], shown[0]))
            else:
                parent = _unique(
                    _symbol(f"{group[0].output}_all" if _is_pair(group) is None else _pair_name(group)),
                    names,
                    NAME,
                    "_",
                )
                stanzas.append(_parent(parent, group))
                stanzas += [_child(track, parent, on) for track, on in zip(group, shown, strict=True)]
    return "\n\n".join(stanzas) + "\n"


def _groups(tracks: Sequence[HubTrack]) -> list[list[HubTrack]]:
    """Tracks that share a stanza: pairs where they are few, else all of the output."""
    by_track = {track.track: track for track in tracks}
    pairs = [[track, by_track[track.partner]] for track in tracks if track.strand == "+" and track.partner in by_track]
    if not 0 < len(pairs) <= OVERLAID:
        return [list(tracks)]
    paired = {track.track for pair in pairs for track in pair}
    alone = [track for track in tracks if track.track not in paired]
    return [*pairs, *([alone] if alone else [])]


def _is_pair(group: Sequence[HubTrack]) -> tuple[HubTrack, HubTrack] | None:
    if len(group) == 2 and group[0].strand == "+" and group[0].partner == group[1].track:
        return group[0], group[1]
    return None


def _pair_name(group: Sequence[HubTrack]) -> str:
    return f"{group[0].name}_and_{group[1].name}"


def _parent(name: str, group: Sequence[HubTrack]) -> str:
    pair, first = _is_pair(group), group[0]
    low, high = min(track.low for track in group), max(track.high for track in group)
    if pair:
        kind = ["container multiWig", "aggregate transparentOverlay", "showSubtrackColorOnUi on"]
        label, about = f"{first.short} +-", " and ".join(_plain(track.track) for track in pair)
    else:
        kind, label = ["compositeTrack on", "allButtonPair on"], first.output
        about = f"{_plain(first.output)}: {len(group):,} tracks"
    units = _plain(first.units) if first.units else "units not given"
    lines = [
        f"track {name}",
        *kind,
        _type(low, high).replace("bigWig", "type bigWig", 1),
        f"shortLabel {_shortened(_plain(label))}",
        f"longLabel {_within(about, units)}",
        *SIGNAL,
    ]
    return "\n".join(lines)


def _within(about: str, units: str) -> str:
    end = f", {_cut(units, max(UNITS, LONG - len(about) - 2))}"
    return _cut(about, LONG - len(end)) + end


def _single(track: HubTrack, on: bool) -> str:
    signal = [line if on else line.replace("visibility full", "visibility hide") for line in SIGNAL]
    return "\n".join([*_data(track), *signal])


def _child(track: HubTrack, parent: str, on: bool) -> str:
    lines = _data(track)
    lines.insert(1, f"parent {parent} {'on' if on else 'off'}")
    return "\n".join(f"    {line}" for line in lines)


def _data(track: HubTrack) -> list[str]:
    return [
        f"track {track.name}",
        f"type {track.limits}",
        f"shortLabel {track.short}",
        f"longLabel {track.long}",
        f"bigDataUrl {track.file}",
        f"color {','.join(map(str, track.colour))}",
    ]


# ---------------------------------------------------------------- IGV


def igv_session(genome: str, locus: str, tracks: Sequence[HubTrack]) -> str:
    """A session for IGV desktop and igv.js: the tracks that a hub draws first, paths relative to the session.

    Args:
        locus: ``chrom:start-end``, counted from 1, where it opens.
    """
    session = xml.Element("Session", genome=genome, locus=locus, version="8")
    resources = xml.SubElement(session, "Resources")
    panel = xml.SubElement(session, "Panel", name="DataPanel", height=str(64 * min(len(tracks), DRAWN)), width="1200")
    for track in tracks[:DRAWN]:
        path = f"{genome}/{track.file}"
        xml.SubElement(resources, "Resource", path=path, type="bigwig")
        drawn = xml.SubElement(
            panel,
            "Track",
            attributeKey=track.file,
            autoScale="true",
            clazz="org.broad.igv.track.DataSourceTrack",
            color=",".join(map(str, track.colour)),
            fontSize="10",
            height="60",
            id=path,
            name=f"{track.short} ({_plain(track.units) if track.units else 'units not given'})",
            renderer="BAR_CHART",
            visible="true",
            windowFunction="mean",
        )
        _, low, high = track.limits.split()
        ends = {"minimum": f"{min(0.0, float(low)):g}", "baseline": "0", "maximum": f"{max(0.0, float(high)):g}"}
        xml.SubElement(drawn, "DataRange", type="LINEAR", drawBaseline="true", flipAxis="false", **ends)
    xml.indent(session, "  ")
    return f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{xml.tostring(session, encoding="unicode")}\n'
