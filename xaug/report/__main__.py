"""`python -m xaug.report`: runs and attributions to figures, tables and a page."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import option_list, xaug_command
from xaug.core.types import JsonObject
from xaug.studies import STUDIES, study_with_figures


@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--attributions", multiple=True, type=click.Path(path_type=Path), help="Output of xaug.explain; repeat.")
@click.option(
    "--study",
    type=click.Choice(list(STUDIES)),
    help="Draw the figures of a paper, and compare with its numbers.  [default: the general figures]",
)
@click.option(
    "--figures", help="Draw only these: names, or numbers of a paper's figures, as in 14,roc.  [default: all]"
)
@click.option("--topk", type=click.Path(path_type=Path), help="Output of xaug.topk.")
@click.option("--ablation", type=click.Path(path_type=Path), help="Output of xaug.explain.analysis.ablations.")
@click.option("--title", default="xaug report", help="Title of the page.")
@click.option(
    "--label",
    help="Text above each figure, as 'CMS Simulation'; '' for none.  [default: processes, energy, generator and "
    "selection, as far as the dataset knows them]",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def main(
    runs: tuple[Path, ...],
    attributions: tuple[Path, ...],
    study: str | None,
    figures: str | None,
    topk: Path | None,
    ablation: Path | None,
    title: str,
    label: str | None,
    output: Path,
) -> JsonObject:
    """Draw the figures that runs and their attributions allow; write tables and one self-contained HTML page.

    Without RUNS the report is of the runs or models that the attributions explain.

    The general figures fit any dataset and any network. With --study there are those of a paper in their place: toy
    and zbb are arXiv:2011.13466, vlq is Constructing sensible baselines for Integrated Gradients. A paper's figures
    may also be asked for by their numbers alone. Each figure is PNG and PDF, with the numbers behind it as CSV or JSON
    beside it.

    Example: python -m xaug.report zbb_cnn2d zbb_mlp --attributions zbb_cnn2d_lrp -o zbb_report
    """
    from xaug.explain.explanation import Explanation
    from xaug.report.figures import GENERIC
    from xaug.report.stage import report
    from xaug.training.runs import load_run

    if not runs and attributions:
        # a model of the user's own that was explained twice is one run, of which each explanation has a copy
        opened = [Explanation.open(directory) for directory in reversed(attributions)]
        runs = tuple({one.run_digest: one.run for one in opened}.values())[::-1]
    keys = None if figures is None else option_list(figures)
    chosen = STUDIES[study] if study else None
    if chosen is None and keys and not all(key in GENERIC for key in keys):
        chosen = study_with_figures([key for key in keys if key not in GENERIC], load_run(runs[0]).input_spec.kind)
    result = report(
        runs,
        output,
        attributions,
        title,
        keys=keys,
        topk=topk,
        ablation=ablation,
        extension=chosen.extension() if chosen else None,
        label=label,
    )
    lines = [f"{row['run']}: AUC {row['auc']}" for row in result["performance"]]
    return {"output": str(output), "figures": list(result["figures"]), "summary": lines}


if __name__ == "__main__":
    main(prog_name="python -m xaug.report")
