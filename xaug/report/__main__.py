"""`python -m xaug.report`: runs and attributions to figures, tables and a page."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import xaug_command


@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--attributions", multiple=True, type=click.Path(path_type=Path), help="Output of xaug.explain; repeat.")
@click.option("--figures", help="Only these: numbers of the paper or names, as in 14,roc [default: all].")
@click.option("--topk", type=click.Path(path_type=Path), help="Output of xaug.topk.")
@click.option("--ablation", type=click.Path(path_type=Path), help="Output of xaug.explain.analysis.ablations.")
@click.option("--title", default="xaug report", help="Title of the page.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def main(runs, attributions, figures, topk, ablation, title, output) -> dict:
    """Draw the figures that runs and their attributions allow; write tables and one self-contained HTML page.

    Figures are numbered as in the papers: those of jets as in arXiv:2011.13466, those of events as in Constructing
    sensible baselines for Integrated Gradients. Every one is PNG and PDF, with the numbers behind it as CSV or
    JSON beside it.

    Example: python -m xaug.report zbb_cnn2d zbb_mlp --attributions zbb_cnn2d_lrp -o zbb_report
    """
    from xaug.report.stage import report

    keys = None if figures is None else [key.strip() for key in figures.split(",") if key.strip()]
    result = report(runs, output, attributions, title, keys=keys, topk=topk, ablation=ablation)
    lines = [f"{row['run']}: AUC {row['auc']}" for row in result["performance"]]
    return {"output": str(output), "figures": list(result["figures"]), "summary": lines}


if __name__ == "__main__":
    main(prog_name="python -m xaug.report")
