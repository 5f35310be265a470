"""`python -m xaug.generate`: Monte Carlo events to ROOT files, and toy jets to a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import option_list, xaug_command
from xaug.jets.conventions import DEFAULT, OPTIONS


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Generate Monte Carlo samples as ROOT files (tree T), one file per block of events; toy jets as a dataset.

    A killed run resumes where it stopped; the same seed gives the same events, whatever --workers.
    """


def named_files(pairs: tuple[str, ...]) -> dict[str, str]:
    """Card files by name, from `NAME=FILE` texts."""
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=FILE", param_hint="--card")
    return dict(pair.split("=", 1) for pair in pairs)


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

    conventions = OPTIONS.get(options, DEFAULT)
    result = generate(
        output, jets=jets, events=events, seed=seed, workers=workers, cards=named_files(cards),
        neutrinos=conventions.neutrinos,
    )  # fmt: skip
    summary = [
        f"{name}: {t['events_generated']} events generated ({t['events_failed']} failed in Pythia), "
        f"{t['events_stored']} stored"
        + (f", {t['jets_selected']} with a selected leading jet" if t["jets_selected"] else "")
        for name, t in result["totals"].items()
    ]
    return {"output": str(output), "totals": result["totals"], "summary": summary}


@click.option("--events", type=click.IntRange(1), required=True, help="Generated events a process.")
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("--processes", metavar="NAMES", help="Some of the processes, as signal,tt1l.  [default: all]")
@click.option("--card", "cards", multiple=True, metavar="NAME=FILE", help="Own Pythia card for a process.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def vlq(events, seed, workers, processes, cards, output) -> dict:
    """A search for pp -> b' b'bar -> (t W)(b Phi) and ten backgrounds at 13 TeV, with Pythia 8.

    Events without a lepton, or with little transverse energy, are not stored. The files hold the cross
    section (LO, with the branching fractions of forced decays) and the sum of weights of all generated events.

    Example: python -m xaug.generate vlq --events 5000 --seed 1 -o vlq_files
    """
    from xaug.generate.vlq import generate

    chosen = option_list(processes) if processes else None
    result = generate(
        output, events=events, seed=seed, workers=workers, cards=named_files(cards), processes=chosen
    )  # fmt: skip
    summary = [
        f"{name}: {t['events_generated']} events generated ({t['events_failed']} failed in Pythia), "
        f"{t['events_stored']} stored"
        for name, t in result["totals"].items()
    ]
    return {"output": str(output), "totals": result["totals"], "summary": summary}


@click.option("--jets", type=int, required=True, help="Jets a class: as many signal and as many background jets.")
@click.option("--overlap", default="medium", metavar="NAME", help="Of the classes: small, medium, large, or table1.")
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Dataset to write.")
@xaug_command
def toy(jets, overlap, seed, workers, output) -> dict:
    """Jets of the toy model: two subjets of ten particles each; a dataset, ready for `xaug.train`.

    Images, particle lists and the expert variables theta, z, r1, r2 of the same jets (arXiv:2011.13466, section 3).
    Overlap "medium" is the paper's figures; "table1" is its table 1 to the letter, which is not what they show.

    Example: python -m xaug.generate toy --jets 100000 --seed 1 -o toy
    """
    from xaug.generate.toy import generate

    result = generate(output, jets=jets, overlap=overlap, seed=seed, workers=workers)
    summary = [f"{name}: {count} jets" for name, count in result["jets"].items()]
    return {"output": str(output), "jets": result["jets"], "summary": summary}


main.add_command(zbb, "zbb")
main.add_command(vlq, "vlq")
main.add_command(toy, "toy")

if __name__ == "__main__":
    main(prog_name="python -m xaug.generate")
