"""`python -m xaug`, which is also installed as the command `xaug`: a list of all commands."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import click

from xaug._version import __version__
from xaug.core.command import SafeGroup


@dataclass(frozen=True)
class Stage:
    """A command: the module that holds it, which is loaded only when it runs, and what it does."""

    module: str
    summary: str


STAGES = {
    "generate": Stage("xaug.generate.__main__", "Monte Carlo events to ROOT files"),
    "process": Stage("xaug.process.__main__", "ROOT files to a dataset of images, lists and expert variables"),
    "train": Stage("xaug.train", "a dataset to a run: N trainings of one network"),
    "explain": Stage("xaug.explain.__main__", "a run to attributions: what the network looked at"),
    "grid": Stage("xaug.grid", "a dataset of events to runs of many sizes, by their validation loss"),
    "topk": Stage("xaug.topk", "rankings of features to curves: how well the k best features do alone"),
    "judge": Stage("xaug.judge", "a run and its attributions to a verdict: which method, and which ranks, to believe"),
    "report": Stage("xaug.report.__main__", "runs and attributions to figures, tables and a page"),
    "reference": Stage("xaug.reference", "a run to a small network with a card, to be shipped"),
    "inspect": Stage("xaug.inspect", "any file or directory of these to what it is and how it was made"),
    "doctor": Stage("xaug.doctor", "is everything installed that xaug needs, and does it start"),
    "study": Stage("xaug.study", "all of these in one command, for the study of a paper"),
}
"""Commands by name, in the order in which data flows."""


class StageGroup(SafeGroup):
    """The stages as subcommands: `xaug train ...` is `python -m xaug.train ...`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(STAGES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in STAGES:
            return None
        command: click.Command = importlib.import_module(STAGES[name].module).main
        command.name = name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands, in the order of the data"):
            formatter.write_dl([(name, stage.summary) for name, stage in STAGES.items()])


@click.command(cls=StageGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xaug")
def main() -> None:
    """See what a jet or event classifier has learned: from ROOT files to figures with error bars.

    Each command reads one thing, writes one directory, and goes on where it was interrupted. Each command is also a
    module: `xaug train` is `python -m xaug.train`.

    Start here: xaug study zbb
    """


if __name__ == "__main__":
    main(prog_name="python -m xaug")
