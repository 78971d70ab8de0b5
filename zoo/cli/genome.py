"""``zoo genome add|ls|path|remove``: genomes that are found by the name of their assembly."""

from __future__ import annotations

import datetime

import click

from zoo.cli.options import as_json_option, quiet_option
from zoo.cli.shared import COMMAND, CONTEXT, GROUP, long_run, note
from zoo.cli.tables import Column, print_json, print_table

__all__ = ["command"]

COLUMNS = [
    Column("assembly"),
    Column("size", right=True, leaves=0),
    Column("used", leaves=10),
    Column("from", prose=True),
    Column("path", leaves=18),
]


@click.group("genome", cls=GROUP, context_settings=CONTEXT)
def command() -> None:
    """Genomes that models find by the name of their assembly.

    \b
    zoo genome add sacCer3
    zoo predict yeast-atac peaks.bed -o peaks.tsv

    A FASTA of yours in $ZOO_GENOMES/<assembly>.fa is taken first.
    """


@command.command("add", cls=COMMAND, context_settings=CONTEXT)
@click.argument("assembly")
@click.option(
    "--from",
    "source",
    metavar="FILE|URL",
    help="A FASTA (plain, gzip, bgzip) or 2bit file, or its address; default where the assembly is published.",
)
@quiet_option
def add(assembly: str, source: str | None, quiet: bool) -> None:
    """Fetch a genome, check it and keep it, indexed.

    ASSEMBLY is its name at UCSC, NCBI or Ensembl: sacCer3, hg38, GRCh38, mm10. Lengths of all chromosomes are compared
    with those of the assembly, and the md5 of their letters where it is known. Prints where it lies. One that is there
    already is not fetched again.
    """
    with long_run(quiet):
        from zoo.assemblies.add import add_genome

        click.echo(str(add_genome(assembly, source).path))


@command.command("ls", cls=COMMAND, context_settings=CONTEXT)
@as_json_option
def ls(as_json: bool) -> None:
    """List the genomes that are found by name.

    Assembly, size, last use, where from, and where there is room the path, which `zoo genome path ASSEMBLY` prints.
    """
    from zoo.genome.assembly import known_assemblies
    from zoo.genome.library import genomes, own_folder_problem
    from zoo.progress import human_bytes
    from zoo.words import counted

    found = genomes()
    if as_json:
        rows = [
            {
                "assembly": one.assembly,
                "path": str(one.path),
                "bytes": one.bytes,
                "used": _time(one.used),
                "source": one.source,
                "record": one.record,
            }
            for one in found
        ]
        print_json(rows)
        return
    cells = [(one.assembly, human_bytes(one.bytes), _time(one.used)[:10], one.source, str(one.path)) for one in found]
    print_table(COLUMNS, [dict(zip((one.name for one in COLUMNS), row, strict=True)) for row in cells])
    others = [name for name in known_assemblies() if name not in {one.assembly for one in found}]
    if problem := own_folder_problem():
        note(problem)
    note(f"{counted(len(found), 'genome')}; `zoo genome add` knows {', '.join(others) or 'no other'}")


@command.command("path", cls=COMMAND, context_settings=CONTEXT)
@click.argument("assembly")
def path(assembly: str) -> None:
    """Print the FASTA that models of ASSEMBLY are given."""
    from zoo.genome.library import genome_path

    click.echo(str(genome_path(assembly)))


@command.command("remove", cls=COMMAND, context_settings=CONTEXT)
@click.argument("assembly")
def remove(assembly: str) -> None:
    """Delete a genome that was added; files of yours are not touched."""
    from zoo.genome.library import remove_genome
    from zoo.progress import human_bytes

    kept = remove_genome(assembly)
    note(f"{kept.assembly}: removed, {human_bytes(kept.bytes)}")


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).isoformat(timespec="seconds")
