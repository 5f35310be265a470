"""Write the page of models that can be explained: `python tests/explain/zoo/table.py` (a minute or two)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import xaug
from xaug.core.errors import XaugError

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "notebooks" / "models.md"
INTRODUCTION = """# Models that can be explained

Each row is a small model of a kind that particle physicists use. LRP is by xaug's own engine with the rule ε,
Integrated Gradients (IG) from the blank baseline. "yes" means that the method gives numbers, for LRP after the outputs
that it explains were compared with those of Keras; otherwise the reason is there. The page is written by
`python tests/explain/zoo/table.py`; `pytest -m slow tests/explain/zoo` tests that relevance adds up to the logit where
the rules conserve it.

| model | LRP | IG |
|---|---|---|
"""


def load_models():
    """The module of the models, which is in no package."""
    spec = importlib.util.spec_from_file_location("zoo_models", HERE / "models.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["zoo_models"] = module
    spec.loader.exec_module(module)
    return module


def verdict(explain):
    """ "yes", or the reason in one sentence."""
    try:
        explain()
    except XaugError as error:
        return str(error).split(". Remedy")[0].replace("|", r"\|").replace("\n", " ")
    return "yes"


def main():
    found, rows = load_models(), []
    for kind in found.MODELS.values():
        model = kind.build()
        x, target = found.events(model), 0 if model.output_shape[-1] > 1 else "signal"
        lrp = verdict(lambda: xaug.explain.lrp(model, x, "epsilon", target, "native"))  # noqa: B023 - called at once
        ig = verdict(lambda: xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), target))  # noqa: B023
        rows.append(f"| {kind.name} | {lrp} | {ig} |")
        print(rows[-1], flush=True)
    PAGE.write_text(INTRODUCTION + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
