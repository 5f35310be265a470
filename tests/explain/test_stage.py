"""The explain stage: a run to attributions on disk."""

import json
import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.explain.__main__ import main
from xaug.explain.attribution import joined
from xaug.explain.explanation import Explanation
from xaug.explain.method import ExplainJob
from xaug.explain.methods import choose_options, find_method
from xaug.explain.parts import explain_parts
from xaug.explain.stage import explain_run, load_attributions
from xaug.training.stage import train


@pytest.fixture(scope="module")
def run_path(zbb_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("explained") / "cnn2d"
    train(zbb_dataset, path, network="cnn2d", trainings=2, epochs=1, seed=3)
    return path


@pytest.fixture(scope="module")
def attributions(run_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("attributions") / "lrp"
    explain_run(run_path, path)
    return path


def test_attributions_are_of_the_test_split_and_equal_the_library(run_path, attributions):
    run = xaug.load_run(run_path)
    arrays = run.dataset().load(["image", "xaug", "label"], "test")
    found = load_attributions(attributions)
    assert len(found) == 2
    for model, a in zip(run.models, found, strict=True):
        expected = xaug.explain.lrp(model, run.inputs(arrays))
        for name in ("image", "xaug"):
            np.testing.assert_allclose(a.relevance[name], expected.relevance[name], rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(a.label, arrays["label"])
        assert a.settings["rule"] == "preset_a"


def test_ranking_is_written_as_a_table(attributions):
    table = pd.read_csv(attributions / "relevance.csv", index_col="feature")
    expected = xaug.explain.summary(load_attributions(attributions))
    pd.testing.assert_frame_equal(table, expected, check_names=False)
    assert len(table) == 37


def test_interrupted_explanation_goes_on(run_path, attributions, tmp_path):
    copy = tmp_path / "lrp"
    shutil.copytree(attributions, copy)
    (copy / "manifest.json").unlink()
    (copy / "attribution_1.h5").unlink()
    explain_run(run_path, copy)
    for one, other in zip(load_attributions(attributions), load_attributions(copy), strict=True):
        np.testing.assert_allclose(one.relevance["image"], other.relevance["image"], rtol=1e-5, atol=1e-7)


def test_max_events(run_path, tmp_path):
    result = explain_run(run_path, tmp_path / "few", max_events=10)
    assert result.events == 10
    label = xaug.load_run(run_path).dataset().load("label", "test")["label"]
    for a in load_attributions(tmp_path / "few"):  # rows of the split, though a share of every part was taken
        np.testing.assert_array_equal(label[a.rows], a.label)
        assert a.rows[-1] > len(a)


@pytest.fixture(scope="module")
def mlp_path(zbb_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("explained") / "mlp"
    train(zbb_dataset, path, network="mlp", trainings=2, epochs=1, seed=3)
    return path


def test_integrated_gradients_of_a_run(mlp_path, tmp_path):
    """The stage equals the library with the same baselines, writes a table for the class, and says how far they are."""
    from xaug.explain import Averaged, class_attribution, integrated_gradients

    options = {"method": "ig", "baseline": "background", "tolerance": 0.05}
    result = explain_run(mlp_path, tmp_path / "ig", **options)
    run = xaug.load_run(mlp_path)
    data = run.dataset()
    arrays = data.load(["xaug", "label"], "test")
    baseline = Averaged(data, run=run)
    found = load_attributions(tmp_path / "ig")
    assert len(found) == 2
    for i, a in enumerate(found):
        expected = integrated_gradients(run.model(i), run.inputs(arrays), baseline, tolerance=0.05)
        np.testing.assert_allclose(a.relevance["xaug"], expected.relevance["xaug"], atol=1e-5)
        np.testing.assert_allclose(a.reference, expected.reference, atol=1e-5)
        table = pd.read_csv(tmp_path / "ig" / f"class_level_{i}.csv", index_col="feature")
        signal = {"xaug": run.inputs(arrays)["xaug"][arrays["label"] == 1]}
        of_class = class_attribution(run.model(i), signal, baseline, tolerance=0.05, variables=run.variables).table
        np.testing.assert_allclose(table["mean"], of_class["mean"].loc[table.index], atol=0.05)
    known = result.settings["baseline"]
    assert known["events"] == 20
    assert known["split"] == "validation"
    assert 0 <= known["distance"]["nearest_neighbour_percentile"] <= 100
    assert known["distance"]["features_outside"] < 0.1
    again = explain_run(mlp_path, tmp_path / "ig", **options)
    assert again == result == Explanation.open(tmp_path / "ig")


def test_names_of_mean_events_mean_the_same_everywhere(mlp_path, capsys):
    """Baselines and references of one name are one event; "mean" once was two, and is told its new names."""
    from xaug.explain.gradients.named_baselines import named_baseline, named_reference
    from xaug.explain.gradients.samples import input_shapes

    run = xaug.load_run(mlp_path)
    data, shapes = run.dataset(), input_shapes(run.model(0))
    arrays = data.load(["xaug", "label"], "validation")
    x = run.inputs(arrays)["xaug"].astype(np.float64)
    by_class = [x[arrays["label"] == label].mean(axis=0) for label in (0, 1)]
    for name, expected in (("background_mean", by_class[0]), ("classes_mean", np.mean(by_class, axis=0))):
        baseline, reference = named_baseline(name, run, data), named_reference(name, run, data)
        made = baseline if name == "classes_mean" else baseline.sample(shapes)
        np.testing.assert_allclose(made.arrays["xaug"].reshape(-1), expected, atol=1e-5)
        np.testing.assert_allclose(reference.arrays["xaug"].reshape(-1), expected, atol=1e-5)
    assert not capsys.readouterr().err
    np.testing.assert_allclose(
        named_baseline("mean", run, data).sample(shapes).arrays["xaug"][0], by_class[0], atol=1e-5
    )
    assert "--baseline mean is called --baseline background_mean now" in capsys.readouterr().err
    np.testing.assert_allclose(
        named_reference("mean", run, data).arrays["xaug"].reshape(-1), np.mean(by_class, axis=0), atol=1e-5
    )
    assert "--reference mean is called --reference classes_mean now" in capsys.readouterr().err


def test_integrated_gradients_by_command(mlp_path, tmp_path):
    base = [str(mlp_path), "--method", "ig", "--max-events", "20", "--tolerance", "0.1"]
    run = xaug.load_run(mlp_path)
    np.savez(tmp_path / "b.npz", xaug=np.full((2, 36), 0.5))
    for i, choice in enumerate(("blank", "physical", "background_mean", "event:3", str(tmp_path / "b.npz"))):
        more = ["--baseline", choice, "--output-kind", "probability", "-o", str(tmp_path / str(i))]
        done = CliRunner().invoke(main, [*base, *more])
        assert done.exit_code == 0, done.output
        assert "baseline: " in done.output
        assert load_attributions(tmp_path / str(i))[0].settings["output"] == "probability"
    zero = run.inputs({"xaug": np.zeros((1, 36))})
    physical, blank = (load_attributions(tmp_path / name)[0] for name in ("1", "0"))
    model = run.model(0)
    assert physical.reference[0] == pytest.approx(model.predict(zero, verbose=0)[0, 1], abs=1e-5)
    assert blank.reference[0] == pytest.approx(model.predict(np.zeros((1, 36)), verbose=0)[0, 1], abs=1e-5)
    more = ["--baseline", "blank", "--frozen", "pt,eta", "--padding", "free", "-o", str(tmp_path / "frozen")]
    done = CliRunner().invoke(main, [*base, *more])
    assert done.exit_code == 0, done.output
    (frozen,) = load_attributions(tmp_path / "frozen")[:1]
    columns = run.variables["xaug"]
    fixed = np.isin(columns, ["pt", "eta"])
    assert np.all(frozen.relevance["xaug"][:, fixed] == 0)
    assert np.abs(frozen.relevance["xaug"][:, ~fixed]).max() > 0
    assert json.loads((tmp_path / "frozen" / "manifest.json").read_text())["lost"] == [0] * len(run)


def test_references_by_command(mlp_path, tmp_path):
    """LRP from the mean of the background or of both classes, from an event, and from a file."""
    run = xaug.load_run(mlp_path)
    np.savez(tmp_path / "r.npz", xaug=np.full((2, 36), 0.5))
    arrays = run.dataset().load(["xaug", "label"], "validation")
    x = run.inputs(arrays)["xaug"]
    background = x[arrays["label"] == 0].mean(axis=0)
    test = run.inputs(run.dataset().load(["xaug"], "test"))["xaug"]
    expected = {
        "background": background,
        "mean": 0.5 * (background + x[arrays["label"] == 1].mean(axis=0)),
        "event:3": test[3],
        str(tmp_path / "r.npz"): np.full(36, 0.5),
    }
    for i, (choice, reference) in enumerate(expected.items()):
        options = ["--reference", choice, "--max-events", "8", "-o", str(tmp_path / str(i))]
        done = CliRunner().invoke(main, [str(mlp_path), *options])
        assert done.exit_code == 0, done.output
        found = load_attributions(tmp_path / str(i))[0]
        direct = xaug.explain.lrp(run.model(0), {"xaug": test[found.rows]}, reference={"xaug": reference})
        np.testing.assert_allclose(found.relevance["xaug"], direct.relevance["xaug"], rtol=1e-3, atol=1e-4)
        assert found.settings["reference"] == choice
        assert Explanation.open(tmp_path / str(i)).caption.endswith(f"from {choice}")
    done = CliRunner().invoke(main, [str(mlp_path), "--reference", "backgrund", "-o", str(tmp_path / "no")])
    assert done.exit_code == 1 and "did you mean 'background'" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "ig"], "needs a baseline"),
        (["--method", "ig", "--baseline", "blnk"], "did you mean 'blank'"),
        (["--method", "ig", "--baseline", "blank", "--frozen", "etaa"], "did you mean 'eta'"),
        (["--method", "ig", "--baseline", "blank", "--padding", "lst=0"], "input in padding 'lst'"),
        (["--method", "ig", "--baseline", "blank", "--rule", "epsilon"], "--rule belongs to --method lrp"),
        (["--baseline", "blank"], "--baseline belongs to --method ig"),
    ],
)
def test_options_of_the_other_method(mlp_path, tmp_path, options, message):
    done = CliRunner().invoke(main, [str(mlp_path), "-o", str(tmp_path / "a"), *options])
    assert done.exit_code == 1
    assert message in done.output


def test_bad_settings(run_path, tmp_path, attributions):
    with pytest.raises(ConfigurationError, match="did you mean 'lrp'"):
        explain_run(run_path, tmp_path / "x", method="lpr")
    with pytest.raises(DatasetError, match=r"xaug\.train"):
        explain_run(tmp_path, tmp_path / "y")
    with pytest.raises(ConfigurationError, match="target: predicted -> signal"):
        explain_run(run_path, attributions, target="signal")


def test_bias_and_target_are_recorded_and_used(run_path, tmp_path):
    """A difference of logits and a bias convention, by the command; the manifest tells them."""
    options = ["--rule", "alpha1_beta0", "--bias", "split", "--target", "signal-background", "--max-events", "8"]
    done = CliRunner().invoke(main, [str(run_path), "-o", str(tmp_path / "a"), *options])
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "a" / "manifest.json").read_text())["config"]
    assert {key: config[key] for key in ("bias", "target", "force")} == {
        "bias": "split", "target": "signal-background", "force": False,
    }  # fmt: skip
    found = load_attributions(tmp_path / "a")[0]
    run = xaug.load_run(run_path)
    x = run.inputs(run.dataset().load(run.input_spec.fields, "test", 8))
    expected = xaug.explain.lrp(
        run.model(0), x, "alpha1_beta0", target="signal-background", bias="split", engine="native"
    )
    np.testing.assert_allclose(found.relevance["xaug"], expected.relevance["xaug"], rtol=1e-4, atol=1e-6)
    p = run.model(0).predict(x, verbose=0)
    np.testing.assert_allclose(found.logit, np.log(p[:, 1] / p[:, 0]), rtol=1e-3, atol=1e-4)
    wrong = CliRunner().invoke(main, [str(run_path), "-o", str(tmp_path / "b"), "--bias", "splitt"])
    assert wrong.exit_code == 2
    assert "did you mean 'split'" in wrong.output


def test_damaged_attribution_is_named(run_path, attributions, tmp_path):
    copy = tmp_path / "lrp"
    shutil.copytree(attributions, copy)
    (copy / "attribution_0.h5").write_bytes(b"half")
    with pytest.raises(DatasetError, match=r"attribution_0\.h5"):
        load_attributions(copy)


def test_the_same_on_a_cluster(run_path, attributions, scheduler, tmp_path):
    """Part by part on a Dask worker: the same relevance, logits, rows and ranking, bit by bit; no part is left over."""
    options = json.loads((attributions / "manifest.json").read_text())["config"]
    chosen = {name: options[name] for name in ("rule", "target", "engine", "max_events")}
    explain_run(run_path, tmp_path / "lrp", scheduler=scheduler, **chosen)
    for one, other in zip(load_attributions(tmp_path / "lrp"), load_attributions(attributions), strict=True):
        for name in one.relevance:
            np.testing.assert_array_equal(one.relevance[name], other.relevance[name])
        for name in ("logit", "rows", "label"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (tmp_path / "lrp" / "relevance.csv").read_bytes() == (attributions / "relevance.csv").read_bytes()
    assert not list((tmp_path / "lrp").glob("*part*"))


def test_a_mended_option_may_use_the_same_place(mlp_path, tmp_path):
    with pytest.raises(ConfigurationError, match="did you mean 'epsilon'"):
        explain_run(mlp_path, tmp_path / "lrp", rule="epsilom", engine="native")
    explain_run(mlp_path, tmp_path / "lrp", rule="epsilon", engine="native", max_events=3)
    with pytest.raises(ConfigurationError, match="max_events: 3 -> 4"):
        explain_run(mlp_path, tmp_path / "lrp", rule="epsilon", engine="native", max_events=4)


def test_damage_is_mended_as_the_error_says(mlp_path, tmp_path):
    """Explaining again makes what is damaged, and nothing else."""
    options = {"engine": "native", "max_events": 3}
    explain_run(mlp_path, tmp_path / "lrp", **options)
    damaged = tmp_path / "lrp" / "attribution_0.h5"
    damaged.write_bytes(damaged.read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"attribution_0\.h5 is damaged .*Run `.*` again"):
        load_attributions(tmp_path / "lrp")
    explain_run(mlp_path, tmp_path / "lrp", **options)
    assert len(load_attributions(tmp_path / "lrp")[0]) == 3


def test_a_worker_does_not_keep_a_run_that_was_replaced(mlp_path, zbb_dataset, tmp_path, monkeypatch):
    """Another network in the place of the one that a worker of a cluster has explained before."""

    class Client:
        """Does at once, in this process, what a worker would."""

        def map(self, function, tasks, pure):
            return [SimpleNamespace(result=partial(function, task)) for task in tasks]

    def explained(client):
        run = xaug.load_run(tmp_path / "run")
        lrp = find_method("lrp")
        options = choose_options(lrp, {"engine": "native"})
        job = ExplainJob(run, run.dataset(), "test", options, 1, tmp_path)
        return joined(list(explain_parts(lrp, job, 0, np.arange(4), client)))

    monkeypatch.setattr("distributed.as_completed", iter)
    shutil.copytree(mlp_path, tmp_path / "run")
    before = explained(Client())
    shutil.rmtree(tmp_path / "run")
    train(zbb_dataset, tmp_path / "run", network="mlp", xaug="no_flavour", trainings=1, epochs=1)
    after = explained(Client())
    assert not np.array_equal(after.logit, before.logit)
    np.testing.assert_array_equal(after.logit, explained(None).logit)


def test_one_class_only(run_path, tmp_path):
    explain_run(run_path, tmp_path / "lrp", only="signal", max_events=7, engine="native")
    for found in load_attributions(tmp_path / "lrp"):
        assert len(found) == 7
        assert (found.label == 1).all()
    with pytest.raises(ConfigurationError, match="did you mean 'signal'"):
        explain_run(run_path, tmp_path / "x", only="signl")


def test_command(run_path, tmp_path):
    options = ["--max-events", "8", "--rule", "epsilon", "--target", "signal"]
    done = CliRunner().invoke(main, [str(run_path), "-o", str(tmp_path / "a"), "--json", *options])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["top5"]) == 5
    wrong = CliRunner().invoke(main, [str(run_path), "-o", str(tmp_path / "b"), "--rule", "preset_aa"])
    assert wrong.exit_code == 2
    assert "did you mean 'preset_a'" in wrong.output


def test_a_run_that_ends_in_a_relu_is_refused_by_the_command(run_path, tmp_path):
    """A model whose head was changed after training: one line that names layer and remedy, exit 1."""
    import keras

    copy = tmp_path / "run"
    shutil.copytree(run_path, copy)
    path = copy / "training_0" / "model.keras"
    model = keras.models.load_model(path, compile=False)
    model.get_layer("output").activation = keras.activations.relu
    model.save(path)
    provenance.record_files(copy, [path])
    done = CliRunner().invoke(main, [str(copy), "-o", str(tmp_path / "a")])
    assert done.exit_code == 1
    assert "'output'" in done.output
    assert "--output-kind value" in done.output
