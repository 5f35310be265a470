"""Methods of explanation: the registry, and a method that is added to it, through the stage and the command line."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain import methods
from xaug.explain.__main__ import command, main
from xaug.explain.attribution import Attribution
from xaug.explain.explanation import Explanation
from xaug.explain.method import Method, method_options, option, required
from xaug.explain.methods import BUILT_IN, choose_options, find_method, register, registered
from xaug.explain.stage import explain_run, load_attributions
from xaug.training.rankings import ranking_of
from xaug.training.stage import train


@dataclass(frozen=True, kw_only=True)
class SlopeOptions:
    unit: int = option(1, "Output that is explained, as an index.")
    absolute: bool = option(False, "Take absolute values.")


class SlopeTimesInput(Method[SlopeOptions]):
    name = "slope"
    label = "slope x input"
    description = "gradient of a logit times the input"
    options = SlopeOptions

    def explain(self, job, events, on_events):
        import tensorflow as tf

        from xaug.explain.keras_models import read_output

        logits = read_output(events.model).function
        x = [tf.constant(values) for values in events.x.values()]
        with tf.GradientTape() as tape:
            tape.watch(x)
            logit = logits(x)[:, job.options.unit]
        gradients = tape.gradient(logit, x)
        relevance = {name: (g * v).numpy() for name, g, v in zip(events.x, gradients, x, strict=True)}
        if job.options.absolute:
            relevance = {name: np.abs(values) for name, values in relevance.items()}
        on_events(len(logit))
        return Attribution(relevance, logit.numpy(), job.run.variables, {"method": self.name, "target": "signal"})


@pytest.fixture
def slope(monkeypatch):
    """The method, registered for one test."""
    monkeypatch.setattr(methods, "_REGISTERED", dict(methods._REGISTERED))
    method = SlopeTimesInput()
    register(method)
    return method


@pytest.fixture(scope="module")
def run_path(zbb_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("methods") / "mlp"
    train(zbb_dataset, path, network="mlp", trainings=1, epochs=1, seed=3)
    return path


def numpy_gradient_times_input(model, x):
    """The same for a dense network of ReLU layers, from its weights."""
    layers = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    values, slopes = x, []
    for kernel, bias in layers[:-1]:
        values = values @ kernel + bias
        slopes.append(values > 0)
        values = np.maximum(values, 0)
    gradient = np.broadcast_to(layers[-1][0][:, 1], values.shape)
    for (kernel, _), slope in zip(layers[-2::-1], slopes[::-1], strict=True):
        gradient = (gradient * slope) @ kernel.T
    return gradient * x


def test_an_added_method_runs_through_the_stage(slope, run_path, tmp_path):
    found = explain_run(run_path, tmp_path / "a", method="slope", max_events=40)
    run = xaug.load_run(run_path)
    (attribution,) = found.attributions()
    x = run.inputs({"xaug": run.dataset().load(["xaug"], "test")["xaug"][attribution.rows]})["xaug"]
    expected = numpy_gradient_times_input(run.model(0), x)
    np.testing.assert_allclose(attribution.relevance["xaug"], expected, rtol=1e-3, atol=1e-5)
    assert found.method is slope
    assert found.caption == "slope x input, target signal"
    assert found.class_tables() == []
    ranking = list(pd.read_csv(tmp_path / "a" / "relevance.csv")["feature"])
    assert ranking_of(tmp_path / "a") == found.rankings["mean"] == ranking


@pytest.mark.parametrize(
    "method", [method for method in BUILT_IN if method.name not in ("lrp", "ig")], ids=lambda m: m.name
)
def test_every_method_runs_through_the_stage(method, run_path, tmp_path):
    known = method_options(method)
    small = {"baseline": "background", "per_process": 4, "draws": 3, "samples": 3}
    chosen = {name: value for name, value in small.items() if name in known}
    found = explain_run(run_path, tmp_path / "a", method=method.name, max_events=6, **chosen)
    (attribution,) = found.attributions()
    assert attribution.lost == 0 and len(attribution) == len(attribution.rows) == 6
    assert attribution.settings["method"] == method.name
    assert method.label in found.caption
    assert (attribution.standard_error is not None) == method.uses_seed
    if method.name in ("rescale", "shapley"):
        np.testing.assert_allclose(attribution.residual, 0, atol=1e-4)


def test_an_added_method_runs_on_a_cluster(slope, run_path, scheduler, tmp_path):
    here = explain_run(run_path, tmp_path / "here", method="slope")
    there = explain_run(run_path, tmp_path / "there", method="slope", scheduler=scheduler)
    for one, other in zip(here.attributions(), there.attributions(), strict=True):
        np.testing.assert_array_equal(one.relevance["xaug"], other.relevance["xaug"])
        np.testing.assert_array_equal(one.rows, other.rows)


def test_an_added_method_runs_by_command(slope, run_path, tmp_path):
    options = ["--method", "slope", "--unit", "0", "--absolute", "--max-events", "5"]
    done = CliRunner().invoke(command(), [str(run_path), "-o", str(tmp_path / "a"), *options])
    assert done.exit_code == 0, done.output
    (attribution,) = Explanation.open(tmp_path / "a").attributions()
    assert (attribution.relevance["xaug"] >= 0).all()
    wrong = CliRunner().invoke(command(), [str(run_path), "-o", str(tmp_path / "b"), "--unit", "0"])
    assert wrong.exit_code == 1
    assert "--unit belongs to --method slope, not to lrp" in wrong.output
    shown = CliRunner().invoke(command(), ["--help"]).output
    assert "Output that is explained, as an index." in shown
    assert "--unit" not in CliRunner().invoke(main, ["--help"]).output  # nobody has registered it there


@pytest.mark.parametrize("method", registered(), ids=lambda method: method.name)
def test_every_option_of_every_method_is_an_option_of_the_command(method):
    known = {parameter.name: parameter for parameter in main.params}
    given = main.make_context("explain", ["RUN", "-o", "DIR"]).params
    for name, one in method_options(method).items():
        assert one.flag in known[name].opts
        assert one.help in " ".join(known[name].help.split())
        assert given[name] is None  # the default of the method is filled in later
    assert find_method(method.name) is method
    assert all((method.name, method.label, method.description))


@pytest.mark.parametrize("method", registered(), ids=lambda method: method.name)
def test_options_have_their_defaults_and_types(method):
    known = method_options(method)
    needed = {name: one.examples[0] for name, one in known.items() if one.need}
    chosen = choose_options(method, {**dict.fromkeys(known), **needed})
    assert chosen == method.options(**needed)
    for name, one in known.items():
        with pytest.raises(ConfigurationError, match=f"{one.flag} .* is of type list; it must be"):
            choose_options(method, {**needed, name: []})
        if one.choices:
            with pytest.raises(ConfigurationError, match=f"unknown {name} 'x-x-x'.*Known: {one.choices[0]}"):
                choose_options(method, {**needed, name: "x-x-x"})


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lrp", {"baseline": "blank"}, "--baseline belongs to --method ig or .*, not to lrp"),
        ("lrp", {"tolerence": 1.0}, "unknown option of method lrp 'tolerence'"),
        ("lrp", {"force": "yes"}, "--force 'yes' is of type str; it must be bool"),
        ("ig", {"baseline": "blank", "max_nodes": True}, "--max-nodes True is of type bool; it must be int"),
        ("ig", {}, r"--method ig needs a baseline to compare with: --baseline blank \| physical"),
    ],
)
def test_bad_options(method, options, message):
    with pytest.raises(ConfigurationError, match=message):
        choose_options(find_method(method), options)


def test_whole_numbers_are_numbers():
    assert choose_options(find_method("ig"), {"baseline": "blank", "tolerance": 1}).tolerance == 1.0


def test_methods_that_cannot_be_registered(slope):
    @dataclass(frozen=True, kw_only=True)
    class OtherType:
        rule: float = option(1.0, "A number.")

    @dataclass(frozen=True, kw_only=True)
    class Reserved:
        split: str = required("a split", "A split.")

    def made(name, options):
        return type("Made", (SlopeTimesInput,), {"name": name, "options": options})()

    for method, message in (
        (made("lrp", SlopeOptions), "method 'lrp' is LayerwiseRelevance already; give Made another name"),
        (made("new", OtherType), "--rule has other types than that of method 'lrp'"),
        (made("new", Reserved), "--split is an option of all methods"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            register(method)
    register(SlopeTimesInput())  # again, as when a module is loaded twice
    assert [method.name for method in registered()] == [*(method.name for method in BUILT_IN), "slope"]


def test_a_method_that_needs_all_events_explains_a_training_on_a_worker(run_path, scheduler, tmp_path):
    options = {"method": "ig", "baseline": "background", "tolerance": 0.1, "max_events": 12}
    explain_run(run_path, tmp_path / "here", **options)
    explain_run(run_path, tmp_path / "there", scheduler=scheduler, **options)
    for one, other in zip(load_attributions(tmp_path / "here"), load_attributions(tmp_path / "there"), strict=True):
        for name in one.relevance:
            np.testing.assert_allclose(one.relevance[name], other.relevance[name], rtol=1e-4, atol=1e-6)
    tables = [(tmp_path / place / "class_level_0.csv").read_text() for place in ("here", "there")]
    assert tables[0].splitlines()[0] == tables[1].splitlines()[0]
    assert not list((tmp_path / "there").glob("*part*"))


def test_a_manifest_that_lacks_something_is_named(run_path, tmp_path):
    import json

    from xaug.core.errors import DatasetError
    from xaug.core.integrity import seal

    explain_run(run_path, tmp_path / "a", max_events=3, engine="native")
    path = tmp_path / "a" / "manifest.json"
    content = json.loads(path.read_text())
    del content["events"]
    path.write_text(json.dumps(seal(content)))
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged: it has no 'events'"):
        Explanation.open(tmp_path / "a")
