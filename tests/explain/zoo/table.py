"""Write the page of models that can be explained: `python tests/explain/zoo/table.py [NAMES]` (some ten minutes).

With names of functions or of modules of the zoo only the rows of these are made, and the others stay as they are.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import keras
import tensorflow as tf

import xaug
from xaug.core.errors import XaugError

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
from explain.zoo.registry import SEED, Kind, events, frozen_inputs, models  # noqa: E402 - the tests are in no package

PAGE = HERE.parents[2] / "notebooks" / "models.md"
HEADER = "| model | LRP | IG |"
INTRODUCTION = """# Models that can be explained

Each row is a small model of a kind that particle physicists use. LRP is by xaug's own engine with the rule ε, and
Integrated Gradients (IG) are from the blank baseline, with inputs that are masks frozen. "yes" means that the method
gives numbers, for LRP after the outputs that it explains were compared with those of Keras; otherwise the reason is
there. The page is written by `python tests/explain/zoo/table.py`; `pytest -m slow tests/explain/zoo` tests that
relevance adds up to the logit where the rules conserve it, and that it is gradient times input where a network is
linear between kinks.
"""


def verdict(explain):
    """ "yes", or the reason in one sentence."""
    try:
        explain()
    except XaugError as error:
        return str(error).split(". Remedy")[0].replace("|", r"\|").replace("\n", " ")
    return "yes"


def row(kind: Kind) -> str:
    """The row of one model."""
    keras.backend.clear_session()  # names in messages do not depend on the rows before
    keras.utils.set_random_seed(SEED)
    model = kind.build()
    is_grouped = any(getattr(layer, "groups", 1) != 1 for layer in model._flatten_layers())
    tf.config.run_functions_eagerly(not is_grouped)  # it takes longer to trace small models than to run them
    x, target = events(model), kind.target(model)
    lrp = verdict(lambda: xaug.explain.lrp(model, x, "epsilon", target, "native", output=kind.output))
    few, blank = {name: values[:3] for name, values in x.items()}, xaug.explain.Blank()
    options = {"output": kind.output, "frozen": frozen_inputs(model), "max_nodes": 8}
    ig = verdict(lambda: xaug.explain.integrated_gradients(model, few, blank, target, **options))
    if kind.in_steps and ig == "yes":
        ig = "yes, but does not add up by the height of steps that the gradient does not know, and warns"
    return f"| {kind.name} | {lrp} | {ig} |"


def main(names: list[str]) -> None:
    """Write the page, or some rows of it."""
    warnings.simplefilter("ignore")  # with few nodes the tolerance is not reached
    zoo = models()
    known = {line.split(" | ")[0][2:]: line for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    groups: dict[str, list[str]] = {}
    for name, kind in zoo.items():
        if not names or name in names or kind.group in names:
            known[kind.name] = row(kind)
            print(known[kind.name], flush=True)
        if kind.name in known:
            groups.setdefault(kind.group, []).append(known[kind.name])
    tables = [
        f"\n## {group.capitalize().replace('_', ' ').replace('keras', 'Keras')}\n\n{HEADER}\n|---|---|---|\n"
        + "\n".join(rows)
        for group, rows in groups.items()
    ]
    PAGE.write_text(INTRODUCTION + "\n".join(tables) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
