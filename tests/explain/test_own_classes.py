"""Classes and weights of the events of a model of the user's own: the class of a baseline, and means by weight."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from xaug.explain.__main__ import main as explain
from xaug.explain.stage import load_attributions

CLASSES = ("QCD", "Hbb", "Hcc")


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory):
    """Arguments for a linear model whose first logit is that of QCD, and events of three classes."""
    import keras

    directory = tmp_path_factory.mktemp("three")
    model = keras.Sequential([keras.Input((3,), name="hlf"), keras.layers.Dense(3)])
    model.set_weights([np.array([[1.0, 0, 0], [-0.5, 0, 0], [0.1, 0, 0]]), np.array([0.2, 0.1, 0.3])])
    model.save(directory / "tagger.h5")
    rng, label = np.random.default_rng(6), np.arange(300) % 3
    hlf = rng.normal(label[:, None] * [2.0, -1.0, 0.5], 0.1, (300, 3)).astype("f4")
    np.savez(directory / "test.npz", hlf=hlf, label=label)
    return directory / "tagger.h5", "--inputs", directory / "test.npz", "--classes", ",".join(CLASSES)


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("method", "choice", "kind"),
    [("ig", "mean:Hcc", "mean"), ("ig", "background:Hcc", "averaged"), ("lrp", "mean:Hcc", "mean"),
     ("rescale", "background:Hcc", "averaged")],
)  # fmt: skip
def test_the_class_of_a_baseline_is_the_one_that_is_named(of_classes, tmp_path, method, choice, kind):
    option = "baseline" if method == "ig" else "reference"
    done = run(explain, *of_classes, "--method", method, f"--{option}", choice, "--target", "QCD", "-o", tmp_path / "a")
    assert done.exit_code == 0, done.output
    assert f"{kind} (class 'Hcc')" in done.output
    (found,) = load_attributions(tmp_path / "a")
    known = found.settings.get("baseline", {"class": found.settings.get("reference_class")})
    assert known["class"] == "Hcc"
    with np.load(of_classes[2]) as events:
        x, chosen = events["hlf"], events["hlf"][events["label"] == 2]
    w = np.array([1.0, -0.5, 0.1])  # of the logit of QCD, less those of the others, which are constant
    start = (x * w - found.relevance["hlf"])[0] / w
    if method == "lrp":  # the bias keeps a share
        return
    near = 1e-4 if kind == "mean" else chosen.std(axis=0).max()
    np.testing.assert_allclose(start, chosen.mean(axis=0), atol=near)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            "--method ig --baseline background --target QCD",
            "none of the classes QCD, Hbb, Hcc is called background",
        ),
        ("--method ig --baseline background_mean --target Hbb", "as --baseline mean:CLASS"),
        ("--method lrp --reference background", "as --reference background:CLASS"),
        ("--method rescale --target QCD", "as --reference background:CLASS"),
        ("--method ig --baseline mean:Hccc --target QCD", "did you mean 'Hcc'"),
        ("--method ig --baseline blank:Hcc --target QCD", "unknown baseline 'blank:Hcc'"),
    ],
)
def test_a_class_that_no_one_named_is_not_guessed(of_classes, tmp_path, options, reason):
    done = run(explain, *of_classes, *options.split(), "-o", tmp_path / "a")
    assert done.exit_code == 1 and reason in done.stderr, done.output


def test_a_baseline_of_the_class_that_is_explained(two_classes, of_classes, tmp_path):
    """Of two classes the first is the background, which is refused where it is explained; a named one is told."""
    of_two = two_classes / "tagger.h5", "--inputs", two_classes / "test.npz", "--classes", "Hbb,QCD"
    done = run(explain, *of_two, "--method", "ig", "--baseline", "background", "--target", "Hbb", "-o", tmp_path)
    assert done.exit_code == 1
    assert "first class, 'Hbb', which is the one that --target Hbb explains" in done.stderr
    assert "--baseline background:QCD" in done.stderr
    done = run(
        explain,
        *of_classes,
        "--method",
        "ig",
        "--baseline",
        "mean:Hcc",
        "--target",
        "Hcc-QCD",
        "-o",
        tmp_path / "a",
    )
    assert done.exit_code == 0, done.output
    assert "compared with those of 'Hcc', the class that --target Hcc-QCD explains" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        "--method ig --baseline background",
        "--method ig --baseline mean:QCD",
        "--method lrp --reference classes_mean",
        "--method lrp --only QCD",
    ],
)
def test_events_without_labels_are_of_no_class(of_classes, tmp_path, options):
    """Their classes are the answers of the model, which say nothing about it."""
    with np.load(of_classes[2]) as events:
        np.savez(tmp_path / "bare.npz", hlf=events["hlf"])
    own = of_classes[0], "--inputs", tmp_path / "bare.npz", "--classes", ",".join(CLASSES)
    done = run(explain, *own, "--target", "Hbb", *options.split(), "-o", tmp_path / "a")
    assert done.exit_code == 1 and "these have no labels" in done.stderr, done.output


@pytest.mark.parametrize(
    "options",
    [
        "--method lrp --engine native",
        "--method ig --baseline blank",
        "--method ig --baseline background --precision 0.5",
    ],
)
def test_means_over_events_are_weighted(two_classes, tmp_path, options):
    """Events of weight 2 count twice, and those of weight -1 against the others."""
    with np.load(two_classes / "test.npz") as events:
        x, label = events["hlf"], events["label"]
    weight = np.random.default_rng(3).choice([2.0, 1.0, -1.0, 0.5], len(x), p=[0.3, 0.4, 0.1, 0.2])
    weight = np.where(label == 0, np.abs(weight), weight)  # baselines are drawn by theirs
    np.savez(tmp_path / "x.npz", hlf=x, label=label, weight=weight)
    done = run(
        explain, two_classes / "tagger.h5", "--inputs", tmp_path / "x.npz", "--target", "signal",
        *options.split(), "-o", tmp_path / "a",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert f"events count by their weights in means of relevance: effectively {effective:.1f} of 400" in done.output
    (found,) = load_attributions(tmp_path / "a")
    np.testing.assert_array_equal(found.weight, weight)
    r = found.relevance["hlf"].astype(np.float64)
    scores = np.abs(r / np.abs(r).max(axis=1, keepdims=True))
    table = pd.read_csv(tmp_path / "a" / "relevance.csv", index_col=0)
    names = found.variables["hlf"]
    np.testing.assert_allclose(table.loc[names, "mean"], np.average(scores, axis=0, weights=weight), rtol=1e-5)
    if "ig" in options:
        own, signal = pd.read_csv(tmp_path / "a" / "class_level_0.csv", index_col=0).loc[names], label == 1
        for column, values in (("mean", r), ("mean_absolute", np.abs(r))):
            expected = np.average(values[signal], axis=0, weights=weight[signal])
            np.testing.assert_allclose(own[column], expected, rtol=1e-4, atol=1e-5)
