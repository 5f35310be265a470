"""More than two classes: metrics by hand, and a toy of three classes whose best classifier is known in closed form."""

from math import erf

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import xaug
from xaug.core.errors import ConfigurationError, DatasetError, ModelError
from xaug.networks.registry import Network, build
from xaug.training.class_metrics import class_metrics
from xaug.training.stage import train

CLASSES = ["QCD", "Hbb", "top"]
MEANS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
N = 6000


def gaussians(n, seed):
    """Labels and points (n, 2) of three normal distributions of unit width."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    return label, rng.normal(MEANS[label], 1.0)


def posterior(x):
    """Bayes' theorem with equal priors: the best classifier there is."""
    density = np.exp(-0.5 * ((x[:, None] - MEANS) ** 2).sum(axis=2))
    return density / density.sum(axis=1, keepdims=True)


def test_areas_of_the_best_classifier_are_those_of_the_formula():
    """The log-odds of two normal distributions at a distance d are normal as well: AUC = Phi(d / sqrt 2)."""
    label, x = gaussians(60_000, 5)
    found = class_metrics(label, posterior(x), CLASSES)
    for name, d in (("Hbb-QCD", 2.0), ("top-QCD", 2.0), ("top-Hbb", 8**0.5)):
        assert found.pairwise[name] == pytest.approx(0.5 * (1 + erf(d / 2)), abs=0.004)


def test_metrics_agree_with_scikit_learn_and_by_hand():
    label, x = gaussians(300, 6)
    p = posterior(x + 0.5)
    weight = np.random.default_rng(1).uniform(0.5, 2, 300)
    found = class_metrics(label, p, CLASSES, weight)
    for i, name in enumerate(CLASSES):
        assert found.one_vs_rest[name] == pytest.approx(roc_auc_score(label == i, p[:, i], sample_weight=weight))
        taken = [weight[(label == i) & (p.argmax(axis=1) == j)].sum() / weight[label == i].sum() for j in range(3)]
        np.testing.assert_allclose(found.confusion[i], taken)
    two = label != 2
    assert found.pairwise["Hbb-QCD"] == pytest.approx(
        roc_auc_score(label[two], (p[:, 1] / (p[:, 0] + p[:, 1]))[two], sample_weight=weight[two])
    )
    assert found.auc == pytest.approx(np.mean(list(found.one_vs_rest.values())))
    assert found.accuracy == pytest.approx(np.mean(np.diag(found.confusion)))
    with pytest.raises(DatasetError, match="no top events among"):
        class_metrics(label[two], p[two], CLASSES)


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory):
    """A run of an MLP on three classes, without noise."""
    directory = tmp_path_factory.mktemp("three")
    label, x = gaussians(N, 1)
    xaug.Dataset.write(
        directory / "data", xaug=x, label=label, classes=CLASSES, variables={"xaug": ["u", "v"]}, split=(0.5, 0.2, 0.3)
    )
    train(directory / "data", directory / "run", network="mlp", trainings=1, epochs=12, batch_size=64, workers=1)
    return xaug.load_run(directory / "run")


def test_a_network_of_three_classes_comes_near_the_best_one(three_classes):
    run = three_classes
    test = run.dataset().load(["xaug", "label"], "test")
    best = class_metrics(test["label"], posterior(test["xaug"].astype(float)), CLASSES)
    found = run.metrics[0]
    assert run.models[0].output_shape == (None, 3) and run.classes == tuple(CLASSES)
    assert 0 <= best.auc - found["auc"] < 0.01
    for name, auc in best.pairwise.items():
        assert found["pairwise"][name] == pytest.approx(auc, abs=0.01)
    np.testing.assert_allclose(found["confusion"], best.confusion, atol=0.06)
    scores = run.scores(0)
    assert scores["score"].shape == (len(test["label"]), 3)
    np.testing.assert_allclose(scores["score"].sum(axis=1), 1, rtol=1e-5)
    assert found["auc"] == pytest.approx(class_metrics(scores["label"], scores["score"], CLASSES, scores["weight"]).auc)


@pytest.mark.parametrize(("target", "plus", "minus"), [("Hbb-QCD", 1, 0), ("QCD-top", 0, 2), ("2-1", 2, 1)])
def test_the_log_odds_of_two_of_three_classes_are_explained(three_classes, target, plus, minus):
    run = three_classes
    x = run.inputs(run.dataset().load(["xaug"], "test", max_rows=40))
    p = run.models[0].predict(x, verbose=0).astype(np.float64)
    found = xaug.explain.integrated_gradients(
        run.models[0], x, {"xaug": np.zeros((1, 2), np.float32)}, target, classes=CLASSES, tolerance=0.05
    )
    np.testing.assert_allclose(found.logit, np.log(p[:, plus] / p[:, minus]), atol=1e-3)
    share = xaug.explain.integrated_gradients(
        run.models[0], x, {"xaug": np.zeros((1, 2), np.float32)}, target, "probability", tolerance=0.05, classes=CLASSES
    )
    np.testing.assert_allclose(share.logit, p[:, plus] - p[:, minus], atol=1e-5)
    relevance = xaug.explain.lrp(run.models[0], x, target=target, engine="native", classes=CLASSES)
    np.testing.assert_allclose(relevance.logit, np.log(p[:, plus] / p[:, minus]), atol=1e-3)


def test_unknown_classes_are_named(three_classes, tmp_path):
    run = three_classes
    x = run.inputs(run.dataset().load(["xaug"], "test", max_rows=4))
    with pytest.raises(ConfigurationError, match="unknown target 'Hbc'; did you mean 'Hbb'"):
        xaug.explain.lrp(run.models[0], x, target="Hbc", engine="native", classes=CLASSES)
    label, values = gaussians(60, 2)
    other = xaug.Dataset.write(
        tmp_path / "other", xaug=values, label=label, classes=CLASSES[::-1], variables={"xaug": ["u", "v"]}
    )
    with pytest.raises(DatasetError, match=r"tells the classes QCD, Hbb, top apart.*has top, Hbb, QCD"):
        run.dataset(other.path)


def test_a_network_of_the_wrong_number_of_outputs_is_refused(three_classes, monkeypatch):
    from keras import Input, Model, layers

    def two(inputs):
        x = Input((2,), name="xaug")
        return Model(x, layers.Dense(2, activation="softmax")(x))

    monkeypatch.setattr("xaug.networks.registry.find_network", lambda name: Network(name, "", "xaug", two))
    with pytest.raises(ModelError, match="has 2 outputs for 3 classes"):
        build(three_classes.input_spec)


def test_the_roles_of_two_classes_of_other_names(tmp_path):
    """`signal` is the last of two classes, whatever their names."""
    from xaug.explain.targets import Target, labels_of

    names = ("QCD", "Hbb")
    for target, same in (("signal", "Hbb"), ("background", "QCD"), ("signal-background", "Hbb-QCD")):
        assert Target.choose(target, 2, names) == Target.choose(same, 2, names) or (
            Target.choose(target, 2, names).__dict__ == Target.choose(same, 2, names).__dict__
        )
    assert [labels_of(t, names) for t in ("signal", "QCD", "Hbb-QCD", 0, "1")] == [[1], [0], [1], [0], [1]]
    assert labels_of("predicted", names) == [1] and labels_of("predicted", CLASSES) == [0, 1, 2]
