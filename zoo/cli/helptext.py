"""Help of commands: options and commands in groups, in two columns as wide as the terminal, up to 100 letters.

A command needs nothing for it: its options are sorted by their names here, and what no group names is shown last.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

__all__ = ["COMMAND_GROUPS", "OPTION_GROUPS", "HelpCommand", "HelpGroup", "in_groups"]

WIDEST = 100
FEW = 9  # options that need no groups
REST = "Other options"

#: Commands by what they are for; one that stands in none is shown under "Other commands".
COMMAND_GROUPS: dict[str, Sequence[str]] = {
    "Predict": ("predict", "variants"),
    "Explain": ("attribute", "motifs", "report"),
    "Fine-tune": ("finetune", "evaluate", "tune"),
    "Models": ("list", "search", "info", "gallery", "pull", "test", "benchmark", "source"),
    "Contribute": ("new", "add", "check", "upgrade", "convert", "export", "push"),
    "This machine": ("genome", "cache", "doctor", "completion"),
}
#: Options by the names of their parameters; one that stands in none is shown under "Other options".
OPTION_GROUPS: dict[str, Sequence[str]] = {
    "Input": (
        *("genome", "translate_chroms", "any_genome", "regions", "limit", "model", "contribs", "genes"),
        *("ref_mismatch", "normalise", "max_length", "saturate"),
    ),
    "Scores": ("score", "span", "splicing", "distance", "mask", "background", "haplotypes"),
    "Windows": (
        *("window", "stride", "edges", "strand", "central"),
        *("anchor", "refill", "shifts", "share_window"),
    ),
    "Model": ("tracks", "output", "bins", "rc_average", "settings", "sets", "trust"),
    "Explanation": (
        *("method", "motif", "reduce", "explain", "references"),
        *("fallback", "allow_incomplete"),
    ),
    "Motifs": ("database", "max_seqlets", "seqlet_fdr", "modisco", "hits", "effects", "look_for", "region"),
    "Search": ("trials", "space", "address", "cpus"),
    "Output": (
        *("write", "out", "format", "overlap", "aggregate"),
        *("figures", "figure_format", "track_hub", "hub_genome", "split", "prefix", "store"),
        *("as_json", "plain", "all"),
    ),
    "Run": (
        *("device", "threads", "batch_size", "windows", "precision"),
        *("seed", "resume", "dry_run", "prepare_only", "force", "quiet", "help"),
    ),
}


def in_groups(names: Iterable[str], groups: Mapping[str, Sequence[str]], others: str) -> dict[str, list[str]]:
    """Names under the titles of their groups, in the order of the groups; ``others`` is the title of the rest."""
    left = list(names)
    found = {}
    for title, members in groups.items():
        if inside := [name for name in members if name in left]:
            found[title] = inside
            left = [name for name in left if name not in inside]
    return found | ({others: left} if left else {})


class Formatter(click.HelpFormatter):
    """click's, with bold headings where a terminal wants them."""

    def write_heading(self, heading: str) -> None:
        """A heading."""
        styled = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        super().write_heading(click.style(heading, bold=True) if styled else heading)  # echo strips it in a pipe


class Context(click.Context):
    """Contexts whose help is written by ``Formatter``."""

    formatter_class = Formatter


class HelpCommand(click.Command):
    """A command whose options are shown in groups."""

    context_class = Context

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """A context; where a shell asks for completions, one whose parameters know theirs."""
        if extra.get("resilient_parsing"):
            from zoo.cli.complete import add_completers

            add_completers(self)
            if args and any(args[-1] in one.opts and _takes_a_value(one) for one in self.params):
                args = args[:-1]  # its value is what is completed; click would give up all that stands before
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options: in groups where there are many."""
        shown = {_name(one): one for one in self.get_params(ctx) if isinstance(one, click.Option) and not one.hidden}
        groups = {"Options": [*shown]} if len(shown) <= FEW else in_groups(shown, OPTION_GROUPS, REST)
        if 2 * len(groups.get(REST, ())) >= len(shown):  # a command of its own kind: its own options come first
            groups = {"Options": groups.pop(REST)} | groups
        for title, names in groups.items():
            with formatter.section(title):
                formatter.write_dl([shown[name].get_help_record(ctx) for name in names])


def _takes_a_value(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.count


def _name(option: click.Option) -> str:
    return "help" if "--help" in option.opts else option.name or option.opts[0]


class HelpGroup(HelpCommand, click.Group):
    """A group of commands."""

    context_class = Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        HelpCommand.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)
