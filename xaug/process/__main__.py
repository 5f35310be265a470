"""`python -m xaug.process`: make a dataset of files of events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xaug.core.command import OneOf, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject
from xaug.data.records import CLASSES
from xaug.events.presets import PRESETS
from xaug.jets.conventions import OPTIONS, Conventions
from xaug.process import EXECUTORS

if TYPE_CHECKING:
    from xaug.data.parts import PartSettings


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read texts `NAME=VALUE` as a dict."""
    for pair in pairs:
        if "=" not in pair:
            raise ConfigurationError(f"{pair!r} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def left_out_text(left_out: dict[str, list[str]]) -> str:
    """Variables that are left out, by what the files lack."""
    groups: dict[str, list[str]] = {}
    for name, lacking in left_out.items():
        groups.setdefault(" and ".join(lacking), []).append(name)
    return "; ".join(f"{', '.join(names)} (no {lacking})" for lacking, names in groups.items())


def change_settings(
    settings: PartSettings,
    *,
    cuts: tuple[str, ...],
    detector: tuple[str, ...],
    conventions: str | None,
    choices: tuple[str, ...] = (),
    preset: str | None = None,
    split_seed: int,
    split: str | None,
) -> PartSettings:
    """Change the default settings of a kind of dataset as the options of the command ask for."""
    from xaug.events import presets
    from xaug.events.processor import EventSettings
    from xaug.jets.processor import JetSettings

    if preset is not None and not isinstance(settings, EventSettings):
        raise ConfigurationError(f"--preset {preset} goes with events, not {settings.kind}")
    selection = settings.selection if preset is None else presets.preset(preset)
    changes: dict[str, Any] = {"split_seed": split_seed, "selection": selection.changed(parse_settings(cuts))}
    if detector:
        if not isinstance(settings, EventSettings):
            raise ConfigurationError(f"--detector goes with events, not {settings.kind}")
        changes["detector"] = settings.detector.changed(parse_settings(detector))
    if conventions or choices:
        if not isinstance(settings, JetSettings):
            asked = f"--options {conventions}" if conventions else f"--convention {choices[0]}"
            raise ConfigurationError(f"{asked} goes with jets, not {settings.kind}")
        base = OPTIONS[conventions] if conventions else settings.conventions
        changes["conventions"] = base.changed(parse_settings(choices))
    if split is not None:
        try:
            changes["split_fractions"] = tuple(float(part) for part in split.split(","))
        except ValueError:
            raise ConfigurationError(f"--split {split!r}: must be three numbers like 0.6,0.2,0.2") from None
    return replace(settings, **changes)


@click.argument("inputs", nargs=-1, required=True, metavar="FILES|DIR|FILESET.json|DATA.yaml...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Dataset directory to write.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Kind of dataset: jets; events; or events_met, which adds the missing momentum to pairs and triples of "
    "objects.  [default: the kind that the files were made for]",
)
@click.option(
    "--executor",
    type=OneOf("executor", EXECUTORS),
    default="futures",
    help="Process in this process, in local processes, or on Dask.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Local processes or Dask workers.  [default: one for each processor]"
)
@click.option(
    "--scheduler",
    metavar="URL",
    help="Address of a running Dask scheduler (tcp://...).  [default: a cluster on this machine]",
)
@click.option("--chunksize", type=click.IntRange(1), default=4000, help="Events that are processed at once.")
@click.option(
    "--preset",
    type=OneOf("preset", PRESETS),
    help="Selection of events: loose; tight, which has harder cuts; or search, which also cuts on the mass of the fat "
    "jet and its distance from the b jet.  [default: loose]",
)
@click.option(
    "--least-effective",
    type=click.FloatRange(0),
    default=0.0,
    help="Refuse a process with fewer effective selected events, (sum w)^2 / sum w^2.",
)
@click.option(
    "--set",
    "cuts",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a cut, for example pt_min=300, mass_max=inf, algorithm=ca, truth=top (see notebooks/formats.md).",
)
@click.option(
    "--detector", multiple=True, metavar="NAME=VALUE", help="Change the detector of events, for example smear=0."
)
@click.option(
    "--k-factors",
    metavar="FILE",
    help="JSON or YAML table of process names and the factors that multiply their cross sections.",
)
@click.option(
    "--options",
    type=click.Choice(list(OPTIONS)),
    help="Use the conventions of the authors' code to describe jets, instead of the default ones.",
)
@click.option(
    "--convention",
    "choices",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one convention, on top of --options where both are given, for example status=91: "
    f"{', '.join(Conventions.names())}.",
)
@click.option(
    "--classes",
    metavar="NAMES",
    help="Names of classes in the order of their labels, separated by commas; entries of others are left out.  "
    "[default: all classes of the files, those named background, bkg or QCD first]",
)
@click.option(
    "--weight",
    metavar="COLUMN",
    help="Column of the generator weights, or a component of it as LHEWeight[0].  [default: that of the format]",
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Python file of further variables: functions with the decorator @xaug.variable(label); repeat.",
)
@click.option("--split-seed", type=click.IntRange(0), default=0, help="Seed of the train/validation/test split.")
@click.option(
    "--split",
    metavar="FRACTIONS",
    help="Fractions of train, validation, test.  [default: 0.6,0.2,0.2 for jets, 0.5,0.2,0.3 for events]",
)
@click.option("--allow-skips", is_flag=True, help="Exit with 0 even if input files were left out.")
@click.option("--strict", is_flag=True, help="Stop at the first input file that cannot be used.")
@click.option("--dry-run", is_flag=True, help="Check the inputs and print what would be done.")
@xaug_command
def main(
    inputs: tuple[str, ...],
    output: Path,
    kind: str | None,
    executor: str,
    workers: int | None,
    scheduler: str | None,
    chunksize: int,
    preset: str | None,
    least_effective: float,
    cuts: tuple[str, ...],
    detector: tuple[str, ...],
    k_factors: str | None,
    options: str | None,
    choices: tuple[str, ...],
    classes: str | None,
    weight: str | None,
    plugins: tuple[Path, ...],
    split_seed: int,
    split: str | None,
    allow_skips: bool,
    strict: bool,
    dry_run: bool,
) -> JsonObject:
    """Turn jets into images, particle lists and expert variables, or events into features.

    The input is files, with the name of a tree behind a colon or without (FILE.root:TREE); directories of them,
    which are searched through links too; paths with wildcards; .txt files that list any of these; or filesets
    of coffea (.json, .json.gz): {"NAME": {"files": [...], "metadata": {"label": 1, "process": "zbb"}}}, where the
    label is 0, 1 or the name of a class. The formats that `xaug inspect --presets` lists are recognised by their
    content; a YAML describes any other file of columns (notebooks/formats.md). Files that xaug wrote hold label
    and process inside. Jets that a file gives are not clustered again, and are cut only as --set says. What
    cannot be used is left out and listed, and the command exits with 3. Run a killed command again to resume it.

    --options paper-literal uses all conventions of the authors of arXiv:2011.13466 at once, with which the lifetime
    of the Z boson leaks into the inputs (see xaug.jets.conventions). It is meant for files that were generated with
    the same option, and for files of the authors. --convention changes one of them alone, so that datasets of the same
    files show what it is worth.

    Examples: python -m xaug.process zbb_files -o zbb_jets --executor dask --workers 4

    python -m xaug.process vlq_files -o vlq_events --set ht_min=500 --k-factors k.json

    python -m xaug.process vlq_files -o vlq_tight --preset tight --least-effective 200
    """
    from xaug.data.plugins import plugin_of
    from xaug.process.inputs import infer_defaults
    from xaug.process.kinds import processor_class
    from xaug.process.normalisation import read_k_factors
    from xaug.process.stage import default_settings, process

    if strict and allow_skips:
        raise ConfigurationError("--strict and --allow-skips exclude each other; give one of them")
    known, gives_jets = infer_defaults(inputs)
    settings = change_settings(
        default_settings(kind or known).for_given_jets(gives_jets),
        cuts=cuts,
        detector=detector,
        conventions=options,
        choices=choices,
        preset=preset,
        split_seed=split_seed,
        split=split,
    )
    settings = replace(settings, plugins=tuple(plugin_of(path) for path in plugins))
    result = process(
        inputs,
        output,
        settings,
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        chunksize=chunksize,
        strict=strict,
        dry_run=dry_run,
        k_factors=read_k_factors(k_factors) if k_factors else None,
        least_effective=least_effective,
        classes=None if classes is None else [name.strip() for name in classes.split(",")],
        weight=weight,
    )
    skips = result["skips"]
    lost = [skip.get("lost", True) for skip in skips]
    lines = [
        f"{'skipped' if own else 'counted once:'} {skip['file']}: {skip['reason']}"
        for skip, own in zip(skips, lost, strict=True)
    ]
    content = {"skips": skips, "skips_not_allowed": any(lost) and not allow_skips}
    if dry_run:
        lines.append(
            f"{result['files']} files, {result['events']} events, {result['chunks']} chunks "
            f"({result['chunks_done']} already done)"
        )
        return {**content, **result, "summary": lines}
    processor = processor_class(settings.kind)
    for name, flow in result["cut_flow"].items():
        effective = result["processes"][name].get("effective_events") if processor.weighted else None
        ends = "" if effective is None else f" (effectively {effective:.1f})"
        lines.append(f"{name}: " + ", ".join(f"{cut} {count}" for cut, count in flow.items()) + ends)
    lines += [f"warning: {text}" for text in result.get("warnings", [])]
    if result.get("left_out"):
        lines.append("left out, since the files lack what they need: " + left_out_text(result["left_out"]))
    lines += [
        f"left out {own['without_pt']} of {own['particles']} particles of {file}: their pT is 0, so that they have no "
        "direction"
        for file, own in result.get("particles_left_out", {}).items()
    ]
    if tuple(result["classes"]) != CLASSES:
        lines.append("classes: " + ", ".join(f"{i} {name}" for i, name in enumerate(result["classes"])))
    rows = processor.rows_noun()
    return {
        **content,
        "output": str(output),
        rows: result[rows],
        "processes": result["processes"],
        "cut_flow": result["cut_flow"],
        "summary": lines,
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.process")
