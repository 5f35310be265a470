"""`python -m xaug.process`: ROOT files to a dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from xaug.core.command import xaug_command
from xaug.core.errors import ConfigurationError
from xaug.jets.conventions import OPTIONS


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` texts as a dict."""
    for pair in pairs:
        if "=" not in pair:
            raise ConfigurationError(f"{pair!r} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


@click.argument("inputs", nargs=-1, required=True, metavar="FILES|DIR|FILESET.json...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Dataset directory to write.")
@click.option(
    "--kind", type=click.Choice(["jets", "events", "events_met"]),
    help="What a row of the dataset is; events_met: with the missing momentum in pairs and triples.  "
    "[default: what the files are made for]",
)  # fmt: skip
@click.option(
    "--executor", type=click.Choice(["iterative", "futures", "dask"]), default="futures",
    help="This process, local processes, or Dask.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Local processes, or Dask workers.  [default: one a core]")
@click.option("--scheduler", metavar="URL", help="A running Dask scheduler (tcp://...); default: a cluster here.")
@click.option("--chunksize", type=click.IntRange(1), default=4000, help="Events per chunk.")
@click.option("--set", "cuts", multiple=True, metavar="NAME=VALUE", help="Selection, e.g. pt_min=300.")
@click.option("--detector", multiple=True, metavar="NAME=VALUE", help="Detector of events, e.g. smear=0.")
@click.option(
    "--k-factors", metavar="FILE", help="JSON or YAML: process name -> what multiplies the cross section in its files."
)
@click.option(
    "--options",
    type=click.Choice(list(OPTIONS)),
    help="Describe jets as the authors' code does, not by our conventions.",
)
@click.option("--split-seed", type=int, default=0, help="Seed of the train/validation/test split.")
@click.option(
    "--split", help="Fractions of train, validation, test.  [default: 0.6,0.2,0.2 for jets, 0.5,0.2,0.3 for events]"
)
@click.option("--allow-skips", is_flag=True, help="Exit with 0 although input files were left out.")
@click.option("--strict", is_flag=True, help="Stop at the first input file that cannot be used.")
@click.option("--dry-run", is_flag=True, help="Check the inputs and say what would be done.")
@xaug_command
def main(
    inputs, output, kind, executor, workers, scheduler, chunksize, cuts, detector, k_factors, options, split_seed,
    split, allow_skips, strict, dry_run,
) -> dict:  # fmt: skip
    """Jets to images, particle lists and expert variables; events of a lepton and jets to features.

    Input is ROOT files with the tree T (as `xaug.generate` writes it) or, for events, of Delphes, directories
    of them, or a coffea fileset: {"NAME": {"files": [...], "metadata": {"label": 1, "process": "zbb"}}}.
    Files by xaug carry label and process inside. Files that cannot be used are left out and listed, and the
    command exits with 3. A killed run resumes.

    --options paper-literal takes the choices of the authors of arXiv:2011.13466 all at once, the lifetime
    leak among them (see xaug.jets.conventions); for files generated with the same option, or theirs.

    Examples: python -m xaug.process zbb_files -o zbb_jets --executor dask --workers 4

    python -m xaug.process vlq_files -o vlq_events --set ht_min=500 --k-factors k.json
    """
    from xaug.process.normalisation import read_k_factors
    from xaug.process.stage import default_settings, infer_kind, noun, process

    if strict and allow_skips:
        raise ConfigurationError("--strict and --allow-skips exclude each other")
    settings = default_settings(kind or infer_kind(inputs))
    changes = {"split_seed": split_seed, "selection": settings.selection.changed(parse_settings(cuts))}
    if detector:
        if not hasattr(settings, "detector"):
            raise ConfigurationError(f"--detector goes with events, not {settings.kind}")
        changes["detector"] = settings.detector.changed(parse_settings(detector))
    if options:
        if not hasattr(settings, "conventions"):
            raise ConfigurationError(f"--options {options} goes with jets, not {settings.kind}")
        changes["conventions"] = OPTIONS[options]
    if split is not None:
        try:
            changes["split_fractions"] = tuple(float(part) for part in split.split(","))
        except ValueError:
            raise ConfigurationError(f"--split {split!r}: must be three numbers, as 0.6,0.2,0.2") from None
    settings = replace(settings, **changes)
    result = process(
        inputs, output, settings, executor=executor, workers=workers, scheduler=scheduler, chunksize=chunksize,
        strict=strict, dry_run=dry_run, k_factors=read_k_factors(k_factors) if k_factors else None,
    )  # fmt: skip
    skips = result["skips"]
    lines = [f"skipped {skip['file']}: {skip['reason']}" for skip in skips]
    content = {"skips": skips, "skips_not_allowed": bool(skips) and not allow_skips}
    if dry_run:
        lines.append(
            f"{result['files']} files, {result['events']} events, {result['chunks']} chunks "
            f"({result['chunks_done']} already done)"
        )
        return {**content, **result, "summary": lines}
    for name, flow in result["cut_flow"].items():
        lines.append(f"{name}: " + ", ".join(f"{cut} {count}" for cut, count in flow.items()))
    rows = noun(settings.kind)
    return {
        **content, "output": str(output), rows: result[rows], "processes": result["processes"],
        "cut_flow": result["cut_flow"], "summary": lines,
    }  # fmt: skip


if __name__ == "__main__":
    main(prog_name="python -m xaug.process")
