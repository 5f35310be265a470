"""`python -m xaug.generate`: generate Monte Carlo events as ROOT files, and toy jets as a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import OneOf, SafeGroup, numbers_by_name, option_list, xaug_command
from xaug.core.types import JsonObject
from xaug.generate.regimes import REGIMES
from xaug.generate.toy_model import OVERLAPS
from xaug.jets.conventions import DEFAULT, OPTIONS


@click.group(cls=SafeGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Generate Monte Carlo samples as ROOT files (tree T), one file for each block of events, or toy jets as a dataset.

    Run a killed command again to resume it. The same seed gives the same events, whatever the number of workers.
    """


def named_files(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read texts `NAME=FILE` as a dict."""
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=FILE", param_hint="--card")
    return dict(pair.split("=", 1) for pair in pairs)


@click.option(
    "--jets", type=click.IntRange(1), help="Selected jets of each class (pT > 200 GeV, 50 < m_SD < 150 GeV, ...)."
)
@click.option("--events", type=click.IntRange(1), help="Generated events of each process, instead of --jets.")
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes at a time.  [default: one for each core]")
@click.option("--card", "cards", multiple=True, metavar="NAME=FILE", help="Your own Pythia card for signal or qcd.")
@click.option(
    "--options",
    type=click.Choice(list(OPTIONS)),
    help="Cluster and store neutrinos as well, as the authors' code does.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def zbb(
    jets: int | None,
    events: int | None,
    seed: int,
    workers: int | None,
    cards: tuple[str, ...],
    options: str | None,
    output: Path,
) -> JsonObject:
    """Generate Z -> b bbar jets (from pp -> ZZ) and QCD jets at 13 TeV, with Pythia 8.

    Example: python -m xaug.generate zbb --jets 4000 --seed 1 -o zbb_files
    """
    import pythia8mc  # noqa: F401  # where several packages are missing, this one names the extra

    from xaug.generate.zbb import generate

    conventions = OPTIONS[options] if options else DEFAULT
    result = generate(
        output,
        jets=jets,
        events=events,
        seed=seed,
        workers=workers,
        cards=named_files(cards),
        neutrinos=conventions.neutrinos,
    )
    summary = [
        f"{name}: {t['events_generated']} events generated ({t['events_failed']} failed in Pythia), "
        f"{t['events_stored']} stored"
        + (f", {t['jets_selected']} with a selected leading jet" if t["jets_selected"] else "")
        for name, t in result["totals"].items()
    ]
    return {"output": str(output), "totals": result["totals"], "summary": summary}


@click.option("--events", type=click.IntRange(1), required=True, help="Generated events of each process.")
@click.option(
    "--events-of", default="", metavar="NAME=N,...", help="Generated events of single processes, in place of --events."
)
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes at a time.  [default: one for each core]")
@click.option("--processes", metavar="NAMES", help="Processes to generate, for example signal,tt1l.  [default: all]")
@click.option("--card", "cards", multiple=True, metavar="NAME=FILE", help="Your own Pythia card for a process.")
@click.option(
    "--preset",
    default="loose",
    type=OneOf("preset", REGIMES),
    help="Selection that the sample is meant for: it sets the thresholds of generation, and which events are stored.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def vlq(
    events: int,
    events_of: str,
    seed: int,
    workers: int | None,
    processes: str | None,
    cards: tuple[str, ...],
    preset: str,
    output: Path,
) -> JsonObject:
    """Generate pp -> B Bbar -> (t W)(b Phi) and ten backgrounds of a search for it at 13 TeV, with Pythia 8.

    B is a vectorlike quark of charge -1/3; Pythia calls it b'.

    Events without a lepton, or with little transverse energy, are not stored. Backgrounds are filtered by the sum of
    the pT of their partons and by the pT of their lepton; those of one hard recoil have a threshold on the pT of the
    hard process as well. The files hold the cross section (LO, with the branching fractions of forced decays) and the
    sum of weights of all generated events. Files for the selection tight serve search as well.

    Example: python -m xaug.generate vlq --events 5000 --seed 1 -o vlq_files

    Example: python -m xaug.generate vlq --preset tight --events 10000 --events-of wjets=60000,tt1l=30000 -o vlq_hard
    """
    import pythia8mc  # noqa: F401  # where several packages are missing, this one names the extra

    from xaug.generate.vlq import generate

    chosen = option_list(processes) if processes else None
    result = generate(
        output,
        events=events,
        events_of=numbers_by_name(events_of, "--events-of"),
        seed=seed,
        workers=workers,
        cards=named_files(cards),
        processes=chosen,
        preset=preset,
    )
    summary = [
        f"{name}: {t['events_generated']} events generated ({t['events_failed']} failed in Pythia), "
        f"{t['events_stored']} stored"
        for name, t in result["totals"].items()
    ]
    return {"output": str(output), "totals": result["totals"], "summary": summary}


@click.option("--jets", type=click.IntRange(1), required=True, help="Jets of each class, signal and background.")
@click.option("--overlap", default="medium", type=OneOf("overlap", OVERLAPS), help="Overlap of the classes.")
@click.option("--seed", type=int, default=1, help="Seed of the whole sample.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes at a time.  [default: one for each core]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Dataset to write.")
@xaug_command
def toy(jets: int, overlap: str, seed: int, workers: int | None, output: Path) -> JsonObject:
    """Generate jets of the toy model, two subjets of ten particles each, as a dataset for `xaug.train`.

    The dataset holds images, particle lists and the expert variables theta, z, r1, r2 of the same jets
    (arXiv:2011.13466, section 3). The overlap "medium" has the parameters of the figures of the paper; "table1" has
    those of its table 1 as printed, which are not the ones of the figures.

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
