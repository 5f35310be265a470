"""The registry of figures: what is drawn of which subjects, and what is refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from xaug.core.errors import ConfigurationError
from xaug.data.variables import Block, Table, Variable
from xaug.report.catalogue import Catalogue, Needs
from xaug.report.explained_run import ExplainedRun, Shape
from xaug.report.figures import GENERIC
from xaug.report.subjects import ExplainedClass, ExplainedEvents, ExplainedSizes, ReportInputs, SeveralBaselines


def table(shapes, numbers):
    """A table of blocks of these shapes, the vectors with these variables."""
    axes = {Shape.VECTOR: (), Shape.LIST: (20,), Shape.IMAGE: (8, 8)}
    names = {shape: numbers if shape is Shape.VECTOR else [f"{shape.name}_column"] for shape in shapes}
    blocks = {
        f"{shape.name}_block": Block(f"{shape.name}_block", tuple(Variable(n, n) for n in names[shape]), axes[shape])
        for shape in shapes
    }
    return Table("mine", blocks)


def explained(name, network, numbers=(), *other, trainings=2, method="lrp", split="test", baseline=None, run=None):
    own = table([*other, *([Shape.VECTOR] if numbers else [])], list(numbers))
    spec = SimpleNamespace(
        network=network, table=own, columns={block: own.names(block) for block in own.blocks}, kind="mine"
    )

    class Run:
        classes = ("background", "signal")
        input_spec = spec
        path = Path(run or name)

        def __init__(self):
            self.name = self.path.name

        def __len__(self):
            return trainings

    record = SimpleNamespace(
        method=SimpleNamespace(name=method), split=split, baseline=baseline, class_tables=lambda: ["of a class"]
    )
    return ExplainedRun(name, Run(), SimpleNamespace(table=own), record)


def inputs(*runs, smaller=()):
    return ReportInputs(SimpleNamespace(table=table([], [])), [], {}, list(runs), list(smaller))


def names(entry, made):
    return [subject.name for subject in entry.found_in(made)]


def test_the_general_figures_follow_the_shape_of_the_inputs():
    """No kind of dataset and no network is known to the catalogue; these have names that xaug has never heard of."""
    vector = explained("vector", "net_a", ["x", "y"])
    one = explained("one", "net_b", ["x"])
    image = explained("image", "net_c", (), Shape.IMAGE)
    both = explained("both", "net_d", ["x", "y"], Shape.IMAGE, Shape.LIST)
    made = inputs(vector, one, image, both)
    for key in ("relevance", "trainings", "ranks", "profiles", "likelihood", "uncertainty"):
        assert names(GENERIC[key], made) == ["vector", "one", "both"], key
    assert names(GENERIC["heatmaps"], made) == ["image", "both"]
    assert names(GENERIC["relevance_map"], made) == ["vector", "both"]  # a map is over two variables


def test_general_figures_name_no_paper():
    for entry in GENERIC:
        assert not entry.key.isdigit()
        text = f"{entry.file} {entry.shows} {entry.draw.__doc__}"
        assert not any(word in text for word in ("jet", "zbb", "toy", "vlq", "paper", "figure", "fig0", "fig1")), text


def test_the_first_network_of_a_list_comes_once_with_most_variables():
    catalogue = Catalogue("mine")
    needs = Needs((Shape.VECTOR,), ("x",), ("net_b", "net_a"))
    catalogue.figure("7", "a map", ExplainedEvents, needs=needs, once=True)(lambda subject, stem: "")
    few = explained("few", "net_b", ["x"])
    many = explained("many", "net_b", ["x", "y"])
    other = explained("other", "net_a", ["x", "y", "z"])
    lacking = explained("lacking", "net_b", ["y", "z", "u"])
    unknown = explained("unknown", "net_c", ["x", "y", "z", "u"])
    assert names(catalogue["7"], inputs(other, few, many, lacking, unknown)) == ["many"]
    assert names(catalogue["7"], inputs(other, lacking, unknown)) == ["other"]  # net_b lacks x
    assert names(catalogue["7"], inputs(lacking, unknown)) == []
    assert names(catalogue["7"].only_for("net_c"), inputs(other, unknown)) == ["unknown"]


def test_explanations_of_the_chosen_run_stand_side_by_side():
    """LRP from zero, LRP from a reference and IG of the run with most variables, but none of another run."""
    catalogue = Catalogue("mine")
    needs = Needs((Shape.VECTOR,), networks=("net",))
    for key, each in (("map", True), ("scores", False)):
        register = catalogue.figure(key, "a map", ExplainedEvents, needs=needs, once=True, each_explanation=each)
        register(lambda subject, stem: "")
    mine = [explained(name, "net", ["x", "y"], method=name[:3], run="many") for name in ("lrp", "lrp_mean", "ig")]
    made = inputs(explained("few", "net", ["x"]), *mine)
    assert names(catalogue["map"], made) == ["lrp", "lrp_mean", "ig"]
    assert names(catalogue["scores"], made) == ["lrp"]


def test_spread_needs_two_trainings_and_takes_smaller_samples():
    one, two = explained("one", "net", ["x"], trainings=1), explained("two", "net", ["x"])
    small, other = explained("small", "net", ["x"]), explained("other", "net", ["x", "y"])
    single = explained("single", "net", ["x"], trainings=1)
    ig = explained("ig", "net", ["x"], method="ig")
    (found,) = ExplainedSizes.found_in(inputs(one, two, smaller=[small, ig, other, single]))
    assert (found.full, found.smaller) == (two, [small])
    assert GENERIC["uncertainty"].stem(found, Path("r")) == Path("r/uncertainty_two")


def test_events_of_another_split_have_no_scores_but_an_attribution_of_their_class():
    validation = explained("ig", "net", ["x"], split="validation", baseline="blank")
    assert ExplainedEvents.found_in(inputs(validation)) == []
    assert [one.explained for one in ExplainedClass.found_in(inputs(validation))] == [validation]


def test_baselines_are_compared_within_one_run():
    made = inputs(*(
        explained(f"{run}_{baseline}", "net", ["x"], baseline=baseline, run=run)
        for run, baselines in {"a": ("blank", "mean"), "b": ("blank", "mean"), "c": ("blank",)}.items()
        for baseline in baselines
    ))  # fmt: skip
    found = SeveralBaselines.found_in(made)
    assert [one.name for one in found] == ["a", "b"]
    assert [one.name for one in found[0].baselines] == ["a_blank", "a_mean"]
    entry = GENERIC["features"]
    assert [entry.stem(one, Path("r")) for one in found] == [Path("r/features_a"), Path("r/features_b")]
    assert entry.stem(found[0], Path("r"), alone=True) == Path("r/features")  # one network needs no name
    blank = Needs(baseline="blank")
    assert [blank.met_by(one.facts) for one in found[0].baselines] == [True, False]


def test_a_figure_is_one_function_and_one_entry():
    catalogue = Catalogue("mine", GENERIC)

    @catalogue.figure("mine", "My figure", ExplainedEvents, needs=Needs((Shape.LIST,), ("x",), ("net",), count=2))
    def draw(subject, stem):
        return "caption"

    (entry,) = catalogue.chosen()
    assert (entry.draw, entry.file) == (draw, "mine")
    assert entry.requirement == "attributions of a run of net with a particle list, x with at least 2 variables"
    assert [one.key for one in catalogue.chosen(["roc", "mine"])] == ["mine", "roc"]
    with pytest.raises(ConfigurationError, match="has a figure 'mine' already"):
        catalogue.figure("mine", "Again", ExplainedEvents)(draw)


def test_unknown_figures():
    with pytest.raises(ConfigurationError, match="unknown figure of the general report '13'"):
        GENERIC.chosen(["13"])
    with pytest.raises(ConfigurationError, match="did you mean 'history'"):
        GENERIC.chosen(["histroy"])
