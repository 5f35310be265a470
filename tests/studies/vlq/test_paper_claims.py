"""Claims of the paper on made-up tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from xaug.studies.vlq.paper_claims import check_claims, compare, ranks

NAMES = {"blank": "B0", "physical": "B0p", "background": "Bbg", "weighted": "Bbgw"}
FEATURES = ["ht", "pt_lep", "met", "mass_j1", "mass_j2", *(f"x{i}" for i in range(20))]


def table(*first, size=1.0):
    """Attributions that rank these features first, the others behind them in the order of FEATURES."""
    order = [*first, *(name for name in FEATURES if name not in first)]
    mean = pd.Series(size * np.arange(len(order), 0, -1.0), index=order)
    return pd.DataFrame({"mean": mean, "mean_absolute": mean.to_numpy()[::-1]}).loc[FEATURES]


def curve(ranking, values, spread=0.01, trainings=3):
    """Rows of curves: accuracy and Z of the given means, with a spread that is the same at every k."""
    shifts = np.linspace(-spread, spread, trainings)
    return [
        {"ranking": ranking, "k": k, "training": i, "accuracy": mean + shift, "auc": mean + shift,
         "significance": 10 * (mean + shift)}
        for k, mean in values.items() for i, shift in enumerate(np.roll(shifts, k + len(ranking)))
    ]  # fmt: skip


def test_rank_is_of_the_mean_with_the_range_of_the_trainings():
    """ht is 1st, 3rd and 1st; its mean is the largest although it is last once by absolute value."""
    tables = [table("ht"), table("met", "mass_j1", "ht"), table("ht", "met")]
    assert ranks(tables, "ht") == (1, 1, 3)
    assert ranks(tables[1:2], "ht") == (3, 3, 3)
    assert ranks(tables, "ht", "mean_absolute")[0] == len(FEATURES)


def test_the_size_of_attributions_in_a_training_counts():
    """The mean over trainings decides, as in the figures: one training of large attributions outvotes two."""
    tables = [table("ht"), table("ht"), table("met", "x0", "ht", size=10.0)]
    assert ranks(tables, "met")[0] == 1
    assert ranks(tables, "ht") == (2, 1, 3)


def test_difference_of_two_curves_by_hand():
    """Differences 0.1, 0.1 and 0.3, -0.1 at k = 1 and 2: mean 0.1; errors 0 and 0.2 of the means, so 0.1 of it."""
    values = {"a": {1: (0.6, 0.7), 2: (0.9, 0.5), 20: (9.0, 9.0)}, "b": {1: (0.5, 0.6), 2: (0.6, 0.6), 20: (0.0, 0.0)}}
    rows = [(name, k, i, v) for name, of in values.items() for k, two in of.items() for i, v in enumerate(two)]
    curves = pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"])
    found = compare(curves, "a", "b", "auc")
    assert found.difference == pytest.approx(0.1)
    assert found.error == pytest.approx(0.1)
    assert (found.ahead, found.sizes, found.sign) == ((1, 2), (1, 2), 0)
    assert found.deviations == pytest.approx(1.0)
    assert compare(curves, "b", "a", "auc").difference == pytest.approx(-0.1)
    # two networks that are the same at all k tell no spread; three do: their means over k are 0.2, 0.0 and 0.1
    alone = compare(curves, "a", "b", "auc", retrained=False)
    assert np.isnan(alone.error)
    assert alone.sign == 0
    third = curves[curves["training"] == 0].assign(training=2)
    third.loc[(third["ranking"] == "a") & (third["k"] == 2), "auc"] -= 0.2
    three = compare(pd.concat([curves, third]), "a", "b", "auc", retrained=False)
    assert three.error == pytest.approx(np.std([0.2, 0.0, 0.1], ddof=1) / np.sqrt(3))
    curves.loc[curves["training"] == 0, "auc"] -= 0.4 * (curves["ranking"] == "b")
    assert compare(curves, "a", "b", "auc").error == pytest.approx(np.sqrt(0.2**2 + 0.4**2) / 2)
    curves.loc[curves["training"] == 0, "auc"] += 0.4 * (curves["ranking"] == "b")
    everywhere = compare(curves, "a", "b", "auc", high=99)
    assert everywhere.difference == pytest.approx((0.1 + 0.1 + 9.0) / 3)
    assert everywhere.error == pytest.approx(0.2 / 3)


def test_error_of_a_difference_is_that_of_many_trials():
    """Pulls over many made-up experiments have the width of their distribution."""
    rng = np.random.default_rng(0)
    pulls = []
    for _ in range(600):
        rows = [(name, k, i, rng.normal(0.0, 0.02)) for name in "ab" for k in range(1, 15) for i in range(3)]
        curves = pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"])
        pulls.append(compare(curves, "a", "b", "auc").deviations)
    assert np.std(pulls) == pytest.approx(np.sqrt(28 / 26), abs=0.1)  # Student, 14 times 2 degrees of freedom
    assert abs(np.mean(pulls)) < 0.2


def test_one_training_has_no_error_and_the_same_curve_no_difference():
    curves = pd.DataFrame(curve("a", {1: 0.6, 2: 0.7}, trainings=1) + curve("b", {1: 0.5, 2: 0.5}, trainings=1))
    found = compare(curves, "a", "b", "auc")
    assert np.isnan(found.error)
    assert found.sign == 0
    assert "σ" not in str(found)
    same = compare(curves, "a", "a", "auc")
    assert (same.difference, same.deviations, same.sign) == (0, 0, 0)


PAPER = {
    "blank": [table("ht", "mass_j1", "mass_j2", "x0", "x1", "x2", "pt_lep", "met")],
    "background": [table("ht", "mass_j1", "mass_j2", "pt_lep", "met")],
    "weighted": [table("ht", "met", "pt_lep", *(f"x{i}" for i in range(12)))],
}
KS = (1, 2, 5, 8, 12, 16, 25)


def rising(start, plateau_at):
    return {k: 0.9 - max(0.0, (0.9 - start) * (1 - k / plateau_at)) for k in KS}


def holds(found):
    return dict(zip(found["paper"].str.split().str[:2].str.join(" "), found["holds"], strict=True))


def paper_curves():
    rows = curve("B0", rising(0.5, 12)) + curve("Bbg", rising(0.7, 12)) + curve("Bbgw", rising(0.8, 12))
    return pd.DataFrame(rows)


def ablated(fall):
    """AUC falls by so much a feature."""
    rows = []
    for name, slope in fall.items():
        rows += curve(name, {k: 0.9 - slope * k for k in (0, *KS)})
    return pd.DataFrame(rows)


def test_where_all_is_as_in_the_paper():
    fall = {"B0": 0.01, "Bbg": 0.01, "Bbgw": 0.01, "random": 0.01}
    found = check_claims(PAPER, NAMES, paper_curves(), ablated(fall))
    assert holds(found) == {
        "HT is": "yes", "lepton pT": "yes", "m_j1 and": "yes", "averaged baselines": "yes", "the weighted": "yes",
        "performance rises": "yes", "an ablation": "yes",
    }  # fmt: skip
    text = dict(zip(holds(found), found["ours"], strict=True))
    assert text["HT is"] == "rank of ht: B0 1 (1 to 1), Bbg 1 (1 to 1), Bbgw 1 (1 to 1)"
    assert "pt_lep: B0 7 (7 to 7), Bbg 4 (4 to 4), Bbgw 3 (3 to 3)" in text["lepton pT"]
    # 0.2 times the mean of 1 - k / 12 over k = 1, 2, 5, 8, 12
    assert "accuracy, Bbg - B0: +0.107" in text["averaged baselines"]
    assert "ahead at 4 of 5 k" in text["averaged baselines"]
    assert "accuracy B0 12, Bbg 12, Bbgw 12" in text["performance rises"]


def test_where_nothing_is_as_in_the_paper():
    tables = {
        "blank": [table("met", "pt_lep", "ht", "x0", "x1")],
        "background": [table("x0", "met", "x1", "pt_lep", "ht")],
        "weighted": [table("x1", "x2", "met", "mass_j1", "pt_lep", "mass_j2")],
    }
    rows = curve("B0", rising(0.8, 5)) + curve("Bbg", rising(0.7, 5)) + curve("Bbgw", rising(0.6, 5))
    fall = {"B0": 0.02, "Bbg": 0.015, "Bbgw": 0.012, "random": 0.002}
    found = check_claims(tables, NAMES, pd.DataFrame(rows), ablated(fall))
    assert set(holds(found).values()) == {"no"}


def test_what_cannot_be_told_apart_is_open():
    rows = [row for name in ("B0", "Bbg", "Bbgw") for row in curve(name, rising(0.7, 12), spread=0.05)]
    found = holds(check_claims(PAPER, NAMES, pd.DataFrame(rows)))
    assert (found["averaged baselines"], found["the weighted"]) == ("open", "open")


def test_only_what_the_tables_can_answer():
    assert len(check_claims({"blank": PAPER["blank"]}, NAMES)) == 0
    assert list(holds(check_claims(PAPER, NAMES))) == ["HT is", "lepton pT", "m_j1 and"]
    without_z = paper_curves().drop(columns="significance")
    assert "Z," not in " ".join(check_claims(PAPER, NAMES, without_z)["ours"])
    other = paper_curves().replace({"ranking": {"B0": "mine", "Bbg": "yours", "Bbgw": "theirs"}})
    assert len(check_claims(PAPER, NAMES, other)) == 3


def test_order_of_ablation_against_order_of_retraining():
    """The best ranking when retrained makes the network worse fastest when ablated: full agreement."""
    fall = {"B0": 0.002, "Bbg": 0.01, "Bbgw": 0.02, "random": 0.0}
    with_random = pd.concat([paper_curves(), pd.DataFrame(curve("random", rising(0.4, 12)))])
    assert "Kendall's τ = 1.00" in check_claims(PAPER, NAMES, with_random, ablated(fall))["ours"].iloc[-1]
    turned = {"B0": 0.01, "Bbg": 0.002, "Bbgw": 0.0, "random": 0.02}
    assert "Kendall's τ = -1.00" in check_claims(PAPER, NAMES, with_random, ablated(turned))["ours"].iloc[-1]


def test_a_second_blank_baseline_is_told_where_it_ranks_otherwise():
    same = pd.concat([paper_curves(), paper_curves().query("ranking == 'B0'").assign(ranking="B0p")])
    other = pd.concat([paper_curves(), pd.DataFrame(curve("B0p", rising(0.6, 12)))])
    assert "- B0p" not in " ".join(check_claims(PAPER, NAMES, same)["ours"])
    assert "Bbg - B0p" in " ".join(check_claims(PAPER, NAMES, other)["ours"])


def test_the_paper_judges_by_accuracy_and_significance():
    """An AUC that is better, or worse, decides nothing."""
    for sign in (1, -1):
        curves = pd.DataFrame([row for name in ("B0", "Bbg", "Bbgw") for row in curve(name, rising(0.7, 12), 0.05)])
        curves["auc"] += sign * 0.2 * (curves["ranking"] == "Bbgw")
        assert holds(check_claims(PAPER, NAMES, curves))["the weighted"] == "open"


def test_ht_is_asked_for_every_threshold():
    """Met is first with one of the thresholds, for one of the baselines; the physical one is not the paper's."""
    harder = PAPER | {"weighted": [table("met", "ht")], "physical": [table("met", "ht")]}
    claim = "HT is first whatever the threshold on it"
    first = check_claims(PAPER, NAMES, varied={"HT > 300 GeV": PAPER}).set_index("paper").loc[claim]
    assert first["holds"] == "yes"
    both = check_claims(PAPER, NAMES, varied={"HT > 300 GeV": PAPER, "HT > 600 GeV": harder}).set_index("paper")
    assert both.loc[claim, "holds"] == "partly"
    assert both.loc["HT is first for every baseline", "holds"] == "yes"
    of_each = dict(part.split(": ", 1) for part in both.loc[claim, "ours"].split("; "))
    assert "Bbgw 1 (1 to 1)" in of_each["HT > 300 GeV"]
    assert "Bbgw 2 (2 to 2)" in of_each["HT > 600 GeV"]


def test_error_of_a_difference_contains_the_test_sample():
    """Paired replicas: means over k of the differences are 0.02 and 0.06, a variance of 0.0008."""
    curves = pd.DataFrame(curve("a", {1: 0.6, 2: 0.7}, spread=0.0) + curve("b", {1: 0.5, 2: 0.5}, spread=0.0))
    rows = [("a", 1, 0, 0.51), ("a", 2, 0, 0.53), ("b", 1, 0, 0.5), ("b", 2, 0, 0.5),
            ("a", 1, 1, 0.85), ("a", 2, 1, 0.87), ("b", 1, 1, 0.8), ("b", 2, 1, 0.8),
            ("a", 20, 0, 0.1), ("a", 20, 1, 0.9), ("b", 20, 0, 0.9), ("b", 20, 1, 0.1)]  # fmt: skip
    replicas = pd.DataFrame(rows, columns=["ranking", "k", "replica", "auc"])
    assert compare(curves, "a", "b", "auc").error == pytest.approx(0, abs=1e-12)
    assert compare(curves, "a", "b", "auc", replicas=replicas).error == pytest.approx(np.sqrt(0.0008))
    assert compare(curves, "a", "b", "significance", replicas=replicas).error == pytest.approx(0, abs=1e-12)


def test_only_sizes_count_where_both_curves_are_known():
    """Z of a is missing in a training at k = 1, and Z of b at k = 2."""
    curves = pd.DataFrame(curve("a", {1: 0.9, 2: 0.9, 5: 0.7}) + curve("b", {1: 0.1, 2: 0.1, 5: 0.5}))
    for name, k in (("a", 1), ("b", 2)):
        gone = (curves["ranking"] == name) & (curves["k"] == k) & (curves["training"] == 1)
        curves.loc[gone, "significance"] = np.nan
    found = compare(curves, "a", "b", "significance")
    assert found.sizes == (5,)
    assert found.difference == pytest.approx(2.0)
    nothing = compare(curves[curves["k"] < 5], "a", "b", "significance")
    assert (nothing.sizes, nothing.sign, str(nothing)) == ((), 0, "no k where both are known")


def test_too_few_events_refuse_all_conclusions_and_tell_the_numbers():
    found = check_claims(PAPER, NAMES, paper_curves(), refused="the test split has 35.0 effective events of background")
    free = check_claims(PAPER, NAMES, paper_curves())
    assert set(found["holds"]) == {"refused"}
    assert "refused" not in set(free["holds"])
    for told, own in zip(found["ours"], free["ours"], strict=True):
        assert told == f"the test split has 35.0 effective events of background. {own}"


def test_both_forms_of_the_weighted_baseline_are_compared():
    names = {**NAMES, "weighted_yield": "Bbgw_yield"}
    curves = pd.concat([paper_curves(), pd.DataFrame(curve("Bbgw_yield", rising(0.6, 12)))])
    found = check_claims(PAPER, names, curves).set_index("paper")
    (row,) = (own for claim, own in found.iterrows() if "slightly better" in claim)
    assert "AUC, Bbgw - Bbg: +" in row["ours"] and "AUC, Bbgw_yield - Bbg: -" in row["ours"]
    assert row["holds"] == "partly"
