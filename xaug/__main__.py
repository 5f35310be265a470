"""`python -m xaug`, also installed as `xaug`: what the commands are."""

from __future__ import annotations

import importlib

import click

from xaug._version import __version__

STAGES = {
    "generate": ("xaug.generate.__main__", "Monte Carlo events to ROOT files"),
    "process": ("xaug.process.__main__", "ROOT files to a dataset of images, lists and expert variables"),
    "train": ("xaug.train", "a dataset to a run: N trainings of one network"),
    "explain": ("xaug.explain.__main__", "a run to attributions: what the network looked at"),
    "grid": ("xaug.grid", "a dataset of events to runs of many sizes: which has the least validation loss"),
    "topk": ("xaug.topk", "rankings of features to curves: how good the k best alone are"),
    "report": ("xaug.report.__main__", "runs and attributions to figures, tables and a page"),
    "reference": ("xaug.reference", "a run to a small network with a card, to be shipped"),
    "study": ("xaug.study", "all of these, for a paper's study, in one command"),
}
"""Command -> its module, loaded only when it runs, and what it does."""


class Stages(click.Group):
    """The stages as subcommands: `xaug train ...` is `python -m xaug.train ...`."""

    def list_commands(self, ctx) -> list[str]:
        return list(STAGES)

    def get_command(self, ctx, name: str) -> click.Command | None:
        if name not in STAGES:
            return None
        return importlib.import_module(STAGES[name][0]).main

    def format_commands(self, ctx, formatter) -> None:
        with formatter.section("Commands, in the order in which data flows"):
            formatter.write_dl([(name, summary) for name, (_, summary) in STAGES.items()])


@click.command(cls=Stages, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xaug")
def main() -> None:
    """See what a jet or event classifier has learned: from ROOT files to figures with error bars.

    Each command reads one thing, writes one directory, and goes on where it was interrupted. Each is also
    a module: `python -m xaug.train` is `xaug train`.

    Start here: xaug study zbb
    """


if __name__ == "__main__":
    main(prog_name="python -m xaug")
