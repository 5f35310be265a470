"""The verdict on ranks of features, on attributions that are made up."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from xaug.explain.analysis.likelihood import LikelihoodTest
from xaug.explain.attribution import Attribution
from xaug.report.judgement.choices import Choices
from xaug.report.judgement.verdict import feature_verdicts, summary_of

NAMES = list("abcdefghij")
SIZES = np.arange(10.0, 0, -1)


@dataclass
class Explained:
    """As much of an explanation as the verdict reads."""

    name: str
    attributions: list
    choices: Choices = field(default_factory=Choices)


def explanation(name, trainings, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for sizes in trainings:
        scores = sizes * (1 + noise * rng.normal(size=(200, 10)))
        found.append(Attribution({"x": scores}, scores.sum(axis=1), {"x": NAMES}, {"target": "signal"}))
    return Explained(name, found)


def test_ranks_that_all_agree_on_are_believed():
    judged = [explanation("lrp", [SIZES] * 4), explanation("ig", [2 * SIZES] * 4)]
    found = feature_verdicts(judged, {})
    assert [one.feature for one in found] == NAMES
    assert all(one.believe and one.words == "believe it (the data could not be asked)" for one in found)
    assert found[0].ranks == {"lrp": 1, "ig": 1}
    assert "the rank of 10 of 10 features can be believed" in summary_of("run", found, 4, ["lrp", "ig"])


def test_what_is_lacking_is_named():
    swapped = SIZES.copy()
    swapped[[0, 7]] = swapped[[7, 0]]
    trainings = explanation("lrp", [SIZES, SIZES, SIZES, swapped])
    found = {one.feature: one for one in feature_verdicts([trainings, explanation("ig", [SIZES] * 4)], {})}
    assert "trainings (lrp: ranks 1 to 8)" in found["a"].words and not found["h"].believe
    assert found["d"].believe
    methods = [explanation("lrp", [SIZES] * 4), explanation("ig", [swapped] * 4)]
    verdicts = feature_verdicts(methods, {})
    found = {one.feature: one for one in verdicts}
    assert found["a"].words == "do not: methods (lrp 1, ig 8)"
    assert found["d"].believe
    assert "Methods disagree most about a (rank 1 by lrp, 8 by ig)." in summary_of("run", verdicts, 4, ["lrp", "ig"])
    noisy = [explanation(name, [0 * SIZES + 1] * 4, noise=3.0, seed=i) for i, name in enumerate(("lrp", "ig"))]
    assert any("halves of the sample" in one.words for one in feature_verdicts(noisy, {}))


@pytest.mark.parametrize(("n", "words"), [(1, "there is 1, and 4 are needed"), (3, "there are 3, and 4 are needed")])
def test_few_trainings_and_one_method_are_not_enough(n, words):
    (first, *_) = feature_verdicts([explanation("lrp", [SIZES] * n)], {})
    assert words in first.words and "a second method" in first.words
    assert first.words.count("trainings") == 1


def test_the_data_are_asked_where_they_say_anything():
    judged = [explanation("lrp", [SIZES] * 4), explanation("ig", [SIZES] * 4)]

    def tested(correlation, log_ratio):
        bins = len(log_ratio)
        return LikelihoodTest(
            "a", "a", np.arange(bins + 1.0), np.full((2, bins), 100), np.zeros(bins), np.zeros(bins),
            np.array(log_ratio), np.full(bins, 0.14), correlation, 0.1, 0.1, 0.99, 1.0, 0.1, 0.1,
        )  # fmt: skip

    against = feature_verdicts(judged, {"lrp": {"a": tested(-0.5, [-1.0, 0.0, 1.0])}})[0]
    assert against.words == "do not: the data (correlation lrp −0.50 ± 0.14)"
    assert feature_verdicts(judged, {"lrp": {"a": tested(0.9, [-1.0, 0.0, 1.0])}})[0].believe
    assert feature_verdicts(judged, {"lrp": {"a": tested(-0.5, [0.0, 0.1, 0.0])}})[0].believe  # they say nothing


def test_a_single_feature_has_no_rank():
    scores = np.ones((50, 2, 2, 1))
    one = Attribution({"image": scores}, scores.sum(axis=(1, 2, 3)), {"image": ()}, {"target": "signal"})
    (found,) = feature_verdicts([Explained(name, [one] * 4) for name in ("lrp", "ig")], {})
    assert found.words == "do not: a second feature, without which there is no rank"
