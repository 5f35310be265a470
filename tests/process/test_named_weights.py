"""Weights of files: one component of a vector is named, never all of them taken at once."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot

from xaug.core.errors import BadValues
from xaug.data.dataset import Dataset
from xaug.process.named_weights import named_weights, one_for_each_event

CHUNK = ak.Array(
    [
        {"w": 1.0, "v": [1.0, -2.0, 3.0], "Event": {"Weight": [5.0]}},
        {"w": -2.0, "v": [4.0, 5.0], "Event": {"Weight": [6.0]}},
    ]
)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [("w", [1, -2]), ("v[0]", [1, 4]), ("v[1]", [-2, 5]), ("Event.Weight[0]", [5, 6])],
    )
    def test_components(self, name, expected):
        np.testing.assert_array_equal(one_for_each_event(named_weights(CHUNK, name), 2, name), expected)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("v[2]", "some events have no component 2"),
            ("w[0]", "some events have no component 0"),
            ("v", r"v has the shape \(2, 3\) for 2 events.*--weight 'v\[0\]'"),
            ("x", "there is no 'x'"),
            ("Event.Weigth", "nearest is 'Weight'"),
        ],
    )
    def test_refusals(self, name, reason):
        with pytest.raises(BadValues, match=reason):
            one_for_each_event(named_weights(CHUNK, name), 2, name)


@pytest.fixture
def vector_file(make_file, tmp_path):
    """The sample with a vector of weights, (w, 2 w, 3 w), in a branch of its own."""

    def change(branches):
        w = np.asarray(branches["weight"])
        branches["lhe_weight"] = ak.from_regular(np.stack([w, 2 * w, 3 * w], axis=1))

    return make_file(tmp_path / "vector.root", change)


class TestFiles:
    def test_a_vector_is_refused_with_the_remedy(self, good_file, tmp_path, process_command):
        with uproot.open(good_file) as old, uproot.recreate(tmp_path / "vector.root") as new:
            arrays = {key: old["T"][key].array() for key in old["T"].keys() if not key.startswith("n")}  # noqa: SIM118
            arrays["weight"] = np.tile(ak.to_numpy(arrays["weight"])[:, None], 9)
            types = {key: np.dtype((v.dtype, 9)) if key == "weight" else v.type for key, v in arrays.items()}
            new.mktree("T", types)
            new["T"].extend(arrays)
            new["xaug"] = str(old["xaug"])
        result = process_command(tmp_path / "vector.root", "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert "weight has the shape (20, 9)" in result.stderr and "--weight 'weight[0]'" in result.stderr
        assert (
            process_command(tmp_path / "vector.root", "--weight", "weight[8]", "-o", tmp_path / "out2").exit_code == 0
        )

    @pytest.mark.parametrize("by", ["option", "fileset"])
    @pytest.mark.parametrize(("component", "factor"), [(0, 1), (1, 2), (2, 3)])
    def test_the_remedy_works(self, by, component, factor, vector_file, good_file, tmp_path, process_command):
        name = f"lhe_weight[{component}]"
        (tmp_path / "set.json").write_text(
            json.dumps({"zbb": {"files": [str(vector_file)], "metadata": {"weight": name}}})
        )
        inputs = [vector_file, "--weight", name] if by == "option" else [tmp_path / "set.json"]
        assert process_command(*inputs, "-o", tmp_path / "out").exit_code == 0
        assert process_command(good_file, "-o", tmp_path / "good").exit_code == 0
        found, good = (Dataset.open(tmp_path / where).load(["weight", "xaug"]) for where in ("out", "good"))
        np.testing.assert_allclose(found["weight"], factor * good["weight"])
        np.testing.assert_array_equal(found["xaug"], good["xaug"])

    @pytest.mark.parametrize(
        ("name", "reason"), [("wieght", "nearest is 'weight'"), ("weight[x]", "must name a column")]
    )
    def test_wrong_names(self, name, reason, good_file, tmp_path, process_command):
        result = process_command(good_file, "--weight", name, "-o", tmp_path / "out")
        assert result.exit_code == 1 and reason in result.stderr
