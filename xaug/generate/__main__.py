"""`python -m xaug.generate`: Monte Carlo events to ROOT files."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.command import xaug_command
from xaug.process.conventions import DEFAULT, OPTIONS


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Generate Monte Carlo samples as ROOT files (tree T), one file per block of events.

    A killed run resumes where it stopped; the same seed gives the same events, whatever --workers.
    """


@click.option("--jets", type=int, help="Selected jets a class (pT > 200 GeV, 50 < m_SD < 150 GeV, ...).")
@click.option("--events", type=int, help="Generated events a process, instead of --jets.")
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("--card", "cards", multiple=True, metavar="NAME=FILE", help="Own Pythia card for signal or qcd.")
@click.option(
    "--options", type=click.Choice(list(OPTIONS)), help="Cluster and store neutrinos too, as the authors' code does."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def zbb(jets, events, seed, workers, cards, options, output) -> dict:
    """Z -> b bbar jets (from pp -> ZZ) and QCD jets at 13 TeV, with Pythia 8.

    Example: python -m xaug.generate zbb --jets 4000 --seed 1 -o zbb_files
    """
    from xaug.generate.zbb import generate

    own = {}
    for card in cards:
        name, equals, file = card.partition("=")
        if not equals:
            raise click.BadParameter(f"{card!r} is not NAME=FILE", param_hint="--card")
        own[name] = file
    conventions = OPTIONS.get(options, DEFAULT)
    result = generate(
        output, jets=jets, events=events, seed=seed, workers=workers, cards=own, neutrinos=conventions.neutrinos
    )
    summary = [
        f"{name}: {t['events_generated']} events generated ({t['events_failed']} failed in Pythia), "
        f"{t['events_stored']} stored"
        + (f", {t['jets_selected']} with a selected leading jet" if t["jets_selected"] else "")
        for name, t in result["totals"].items()
    ]
    return {"output": str(output), "totals": result["totals"], "summary": summary}


main.add_command(zbb, "zbb")

if __name__ == "__main__":
    main(prog_name="python -m xaug.generate")
