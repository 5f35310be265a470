"""`python -m xaug.explain`: a run to attributions."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from xaug.core.command import TRUST, OneOf, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject
from xaug.data.splits import SPLITS
from xaug.explain.command_words import in_flags
from xaug.explain.method import AnyMethod, MethodOption, method_options
from xaug.explain.methods import registered

SHARED = (
    click.argument("run", metavar="RUN|MODEL", type=click.Path(path_type=Path)),
    click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write."),
)
OWN = (
    click.option(
        "--inputs",
        type=click.Path(path_type=Path),
        help="Events for a model of your own: an npz file with an array for each input, by name, as the model reads "
        "it, and label and weight if there are; or a dataset.",
    ),
    click.option("--variables", type=click.Path(path_type=Path), help="YAML file of the columns of each input."),
    click.option("--classes", metavar="NAMES", help="Names of the classes, in the order of the outputs."),
)
EVENTS = (
    click.option("--dataset", type=click.Path(path_type=Path), help="Explain another dataset than the run's own."),
    click.option(
        "--split",
        default="test",
        type=OneOf("split", SPLITS),
        help="Explain this split; rankings to train with come from validation.",
    ),
    click.option("--only", metavar="CLASS", help="Explain events of this class only, as signal or background."),
    click.option("--max-events", type=click.IntRange(1), help="Explain about this many events."),
    *TRUST,
)


def command() -> click.Command:
    """The command, with the options of all methods that are registered."""

    @functools.wraps(explain)
    def run_command(**options: Any) -> JsonObject:  # click notes the options of a command on its function
        return explain(**options)

    methods = registered()
    decorators = [*SHARED, *OWN, _method_option(methods), *_options_of(methods), *EVENTS, *_run_options(methods)]
    decorated: Any = run_command
    for decorator in reversed(decorators):
        decorated = decorator(decorated)
    return xaug_command(decorated)


def _method_option(methods: list[AnyMethod]) -> Any:
    known = "; ".join(f"{method.name}: {method.description}" for method in methods)
    names = OneOf("method", {method.name: method.label for method in methods})
    return click.option("--method", default=methods[0].name, type=names, help=f"Method of explanation. {known}.")


def _run_options(methods: list[AnyMethod]) -> tuple[Any, ...]:
    """Options on how a command runs, which go with some methods only."""
    whole = ", ".join(method.name for method in methods if not method.by_part)
    seeded = ", ".join(method.name for method in methods if method.uses_seed)
    return (
        click.option(
            "--scheduler",
            metavar="URL",
            help=f"Dask scheduler that shares these files; {whole} need all events: a worker explains a training.",
        ),
        click.option("--seed", type=click.IntRange(0), default=1, help=f"Seed of all random numbers.  [{seeded}]"),
    )


def _options_of(methods: list[AnyMethod]) -> list[Any]:
    """A click option for each option of the methods; methods that declare the same one share it."""
    found: dict[str, list[tuple[AnyMethod, MethodOption]]] = {}
    for method in methods:
        for name, one in method_options(method).items():
            found.setdefault(name, []).append((method, one))
    return [_click_option([method for method, _ in both], [one for _, one in both]) for both in found.values()]


def _by_methods(names: list[str], texts: list[str]) -> list[tuple[str, str]]:
    """Each text once, with the methods that it is of: "" if it is of all, "others" for that of most of several."""
    of: dict[str, list[str]] = {}
    for name, text in zip(names, texts, strict=True):
        of.setdefault(text, []).append(name)
    if len(of) == 1:
        return [(texts[0], "")]
    most = max(of, key=lambda text: len(of[text]))
    several = len(of[most]) > 1
    order = sorted(of, key=lambda text: several and text == most)
    return [(text, "others" if several and text == most else ", ".join(of[text])) for text in order]


def _click_option(methods: list[AnyMethod], options: list[MethodOption]) -> Any:
    names = [method.name for method in methods]
    text = " ".join(f"{of}{': ' if of else ''}{own}" for own, of in _by_methods(names, [one.help for one in options]))
    defaults = _by_methods(names, [one.shown_default for one in options])
    shown = ", ".join(f"{value}{f' for {of}' if of else ''}" for value, of in defaults if value)
    text += f"  [{', '.join(names)}{f'; default: {shown}' if shown else ''}]"
    if options[0].types == (bool,):
        return click.option(options[0].flag, is_flag=True, default=None, help=text)
    kind: Any = options[0].types[0] if len(options[0].types) == 1 else str
    choices = {one.choices for one in options}
    if len(choices) == 1 and options[0].choices:
        kind = OneOf(options[0].name, options[0].choices)
    return click.option(options[0].flag, type=kind, help=text)


def _run_of(
    model: Path, output: Path, inputs: Path, variables: Path | None, classes: str | None, kind: str | None,
    unsafe: bool, code: tuple[str, ...],
) -> Path:  # fmt: skip
    """The run that a model of the user becomes, below the directory of its attributions."""
    from xaug.explain.keras_models import choose_output
    from xaug.explain.targets import functional
    from xaug.training.own_models import take_in

    def choose(opened: Any) -> tuple[int, bool]:
        index, chosen = choose_output(functional(opened), kind or "logit")
        return index, chosen == "value"

    names = None if classes is None else [name.strip() for name in classes.split(",")]
    trusted: dict[str, Any] = {"unsafe": unsafe, "code": code}
    return take_in(model, inputs, output, variables=variables, classes=names, choose=choose, **trusted)


def explain(
    run: Path, output: Path, inputs: Path | None, variables: Path | None, classes: str | None, **options: Any
) -> JsonObject:
    """Explain every training of a run on the test split, or a Keras model of your own on --inputs; rank the features.

    Writes the relevance of every input element (HDF5, one file a training) and the ranking with its spread
    over trainings (relevance.csv); with --method ig also signed means and mean absolute values over the signal
    events, with errors from events and from baselines (class_level_0.csv, ...). Brackets behind an option name the
    methods that have it.

    Example: python -m xaug.explain zbb_cnn2d --method lrp --rule preset_a -o zbb_cnn2d_lrp

    Example: python -m xaug.explain zbb_mlp --rule alpha1_beta0 --bias split --target signal-background -o zbb_mlp_lrp

    Example: python -m xaug.explain zbb_mlp --method ig --baseline background -o zbb_mlp_ig

    Example: python -m xaug.explain tagger.keras --inputs test.npz --classes QCD,Hbb,Hcc --method lrp -o tagger_lrp

    Example: python -m xaug.explain two_heads.keras --inputs test.npz --output-kind mass:value --method lrp -o mass_lrp
    """
    with in_flags():
        return _explain(run, output, inputs, variables, classes, **options)


def _explain(
    run: Path, output: Path, inputs: Path | None, variables: Path | None, classes: str | None, **options: Any
) -> JsonObject:
    """The work of the command."""
    from xaug.explain.stage import explain_run

    if inputs is not None:
        trusted = options["unsafe"], options["code"]
        run = _run_of(run, output, inputs, variables, classes, options["output_kind"], *trusted)
    elif variables is not None or classes is not None or run.is_file():
        raise ConfigurationError(f"{run}: a model of your own needs --inputs (an npz file or a dataset)")
    found = explain_run(run, output, **options)
    low, median, high = found.conserved[0]
    explained = "(f(x) - f(baseline))" if found.method.has_baseline else "explained output"
    return {
        "output": str(output),
        "top5": found.top5,
        "conserved_5_50_95": found.conserved,
        "summary": [
            f"{found.events} events, trainings: {found.trainings}; {found.caption}",
            f"settings of training 1: {_plain(found.settings)}",
            f"largest relevance: {', '.join(found.top5)}",
            f"sum of relevance / {explained}: median {median:.3f}, 90% of events in [{low:.3f}, {high:.3f}] "
            "(training 1)",
            *_weight_lines(found.events - found.lost[0], found.effective_events),
            *([f"lost events, by training: {', '.join(map(str, found.lost))}"] if any(found.lost) else []),
            *(_baseline_lines(found.settings) if found.method.has_baseline else []),
        ],
    }


def _weight_lines(kept: int, effective: list[float]) -> list[str]:
    """How the means over events are weighted, where the events do not all count the same."""
    if not effective or abs(effective[0] - kept) < 1e-6 * kept:
        return []
    return [f"events count by their weights in means of relevance: effectively {effective[0]:.1f} of {kept}"]


def _plain(settings: JsonObject) -> str:
    """Settings that are one number or word each; the manifest has all of them."""
    left_out = ("method", "target", "training")
    return ", ".join(
        f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"
        for name, value in settings.items()
        if isinstance(value, bool | int | float | str) and name not in left_out
    )


def _baseline_lines(settings: JsonObject) -> list[str]:
    """The baseline, and how far it lies from the data."""
    from xaug.explain.gradients.baseline_class import described

    known, effective = settings["baseline"], settings["effective_baselines"]
    distance = known["distance"]
    near, outside = distance["nearest_neighbour_percentile"], 100 * distance["features_outside"]
    names = f" ({', '.join(distance['outside'])})" if distance["outside"] else ""
    return [
        f"baseline: {described(known)}, {known['events']} events, effectively {effective:.1f}",
        f"farther from its nearest event than {near:.0f}% of events are from theirs; "
        f"{outside:.1f}% of its features outside the range of the data{names}",
    ]


main = command()

if __name__ == "__main__":
    main(prog_name="python -m xaug.explain")
