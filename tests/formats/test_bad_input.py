"""Descriptions of files: what a YAML has wrong is refused with its line, and unknown layouts are described."""

import json
import re
import shutil
from dataclasses import replace

import awkward as ak
import layout_writers
import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError
from xaug.formats.registry import FORMATS
from xaug.jets.processor import JetSettings
from xaug.process.stage import process
from xaug.report.inspection import inspect_path


def reasons(given, output) -> str:
    """Why input files were left out."""
    try:
        skips = process([given], output, chunksize=7)["skips"]
    except ConfigurationError as error:
        return str(error)
    return "; ".join(skip["reason"] for skip in skips)


def assert_matches(words, text):
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(text)


def test_unknown_layouts_are_described(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3), b=np.zeros(3))
    assert_matches("holds a, b, which is no known layout", reasons(tmp_path / "other.npz", tmp_path / "out"))


YAML = """
format: columns
files: own.parquet
jets: {given: true, weight: w}
particles: {px: PX, py: PY, pz: PZ, energy: EN}
units: {momentum: MeV}
classes: {Hbb: isH, QCD: isQ}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("particles:", "particle:", "line 5: unknown key 'particle' .*; did you mean 'particles'"),
        ("px: PX", "pX: PX", "line 5: unknown key 'pX' in particles; did you mean 'px'"),
        ("given: true", "given: 3", "line 4: given is 3; it must be true or false"),
        ("energy: EN", "energy: 7", "line 1|line 5: energy is 7; it must be text"),
        ("momentum: MeV", "momentum: keV", "line 6: unit of momentum 'keV'; known: GeV, MeV, TeV"),
        (", energy: EN", "", "line 5: particles give px, py, pz; momenta need one of"),
        ("format: columns", "format: column", "line 2: unknown format 'column'; did you mean 'columns'"),
        ("format: columns", "format: qg", "line 4: files of qg do not name collections of jets; leave `jets` out"),
        ("format: columns", "format: pfnano", "line 4: unknown collection of jets '' .*Known|line 4.*FatJet, Jet"),
        ("format: columns", "format: delphes", "line 4: unknown key 'weight' in jets"),
        ("files: own.parquet", "files: []", r"line 3: files is \[\]; give a path"),
        ("jets:", "files: x\njets:", "line 4: 'files' is there twice"),
        ("{Hbb: isH, QCD: isQ}", "{Hbb: isH}", "line 7: give at least two classes"),
        ("{momentum: MeV}", "&a {momentum: MeV}\npadding: *a", r"line 7: alias \*a"),
        ("{momentum: MeV}", "{momentum: MeV", "cannot be read: .*line 7"),
        ("files: own.parquet", "files: {Hbb: own.parquet}", "line 7: files are listed by class already"),
        ("weight: w", "weight: wt", "has no column 'wt'"),
        ("px: PX", "px: PXX", "has no column 'PXX'; nearest is 'PX'"),
    ],
)
def test_descriptions(layouts, tmp_path, old, new, words):
    shutil.copy(layouts["columns"].parent / "own.parquet", tmp_path)
    assert old in YAML
    (tmp_path / "data.yaml").write_text(YAML.replace(old, new))
    assert_matches(words, reasons(tmp_path / "data.yaml", tmp_path / "out"))


def test_a_vector_of_weights_is_named_by_component(tmp_path, made_jets):
    own = made_jets.jagged
    content = {name: own[name] for name in ("px", "py", "pz", "energy")}
    content |= {"w": np.ones((24, 3)), "isH": made_jets.label, "isQ": 1 - made_jets.label}
    ak.to_parquet(ak.zip(content, depth_limit=1), tmp_path / "own.parquet")
    text = YAML.replace("{px: PX, py: PY, pz: PZ, energy: EN}", "{px: px, py: py, pz: pz, energy: energy}")
    (tmp_path / "data.yaml").write_text(text.replace("MeV", "GeV"))
    assert_matches(
        r"w has 2 axes, not 1 .*; name a component as w\[0\]", reasons(tmp_path / "data.yaml", tmp_path / "a")
    )
    (tmp_path / "one.yaml").write_text(text.replace("MeV", "GeV").replace("weight: w", 'weight: "w[1]"'))
    assert process([tmp_path / "one.yaml"], tmp_path / "b")["skips"] == []


def test_files_are_told_apart_by_their_content(layouts):
    for name, path in layouts.items():
        found = inspect_path(path)
        expected = {"jetclass2": "jetclass"}.get(name, name)
        if path.suffix == ".yaml":
            assert found["files"][0]["format"].startswith(expected)
        else:
            assert found["format"] == expected and sum(found["classes"].values()) == found["entries"] == 24


NUMBERED = """
format: columns
files: own.parquet
particles: {px: px, py: py, pz: pz, energy: energy}
classes: {column: kind, values: VALUES}
"""


@pytest.fixture
def numbered_jets(made_jets, tmp_path):
    """A file whose entries have the numbers 0 to 5 as classes in turn, and a writer of its YAML."""
    content = {name: made_jets.jagged[name] for name in ("px", "py", "pz", "energy")}
    ak.to_parquet(ak.zip({**content, "kind": np.arange(24) % 6}, depth_limit=1), tmp_path / "own.parquet")

    def described(values):
        (tmp_path / "data.yaml").write_text(NUMBERED.replace("VALUES", values))
        return tmp_path / "data.yaml"

    return described


def test_chosen_classes_leave_out_all_others(numbered_jets, tmp_path):
    given = numbered_jets("{b: [0, 5], c: 1, QCD: 2-4}")
    made = process([given], tmp_path / "all", chunksize=7)
    assert made["classes"] == ["QCD", "b", "c"] and made["jets"] == {"QCD": 12, "b": 8, "c": 4}
    chosen = process([given], tmp_path / "two", chunksize=7, classes=["c", "b"])
    assert chosen["classes"] == ["c", "b"] and chosen["jets"] == {"c": 4, "b": 8}
    whole, two = (xaug.Dataset.open(tmp_path / name).load() for name in ("all", "two"))
    place = {event: i for i, event in enumerate(whole["event_id"].tolist())}
    same = [place[event] for event in two["event_id"].tolist()]
    np.testing.assert_array_equal(whole["label"][same], np.where(two["label"] == 0, 2, 1))  # c is 2 of all, and b is 1
    np.testing.assert_array_equal(two["xaug"], whole["xaug"][same])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("{a: [0, 1, 2], b: 2-5}", "line 5: b has the number 2, which a has too"),
        ("{a: [], b: 1}", r"line 5: a is \[\]; give a number, a list of numbers, or a range as 161-187"),
        ("{a: 5-2, b: 1}", "line 5: a is '5-2'; give a number"),
        ("{a: [0, x], b: 1}", r"line 5: a is \[0, 'x'\]; give a number"),
        ("{a: 1.5, b: 1}", "line 5: a is 1.5; it must be a whole number or text or a list"),
        ("{a: 0-3, b: 4}", "kind is 5 in entry 5; the classes are 0 .a., 1 .a., 2 .a., 3 .a., 4 .b."),
    ],
)
def test_numbers_of_classes(numbered_jets, tmp_path, values, words):
    assert_matches(words, reasons(numbered_jets(values), tmp_path / "out"))


def test_steps_count_the_classes_of_their_entries_only(made_jets, layouts, tmp_path):
    """Entries 0, 2 and 4 are of one class; a class outside of the steps is none of this dataset."""
    assert made_jets.label[:5].tolist() == [0, 1, 0, 1, 0]
    for name, steps, expected in (
        ("one", [[0, 1], [2, 3], [4, 5]], {"QCD": 3}),
        ("two", [[1, 4]], {"QCD": 1, "Hbb": 2}),
    ):
        files = {str(layouts["jetclass"]): {"object_path": "tree", "steps": steps}}
        (tmp_path / "set.json").write_text(json.dumps({"jets": {"files": files}}))
        made = process([tmp_path / "set.json"], tmp_path / name)
        assert made["jets"] == expected and made["classes"] == list(expected)
        assert {key: own["events_generated"] for key, own in made["processes"].items()} == expected


@pytest.mark.parametrize("layout", ["jetclass2", "qg"])
def test_a_tree_is_not_named_where_there_is_none(layouts, tmp_path, layout):
    assert_matches("which has no tree 'events'; leave the name", reasons(f"{layouts[layout]}:events", tmp_path / "out"))


@pytest.mark.parametrize(("named", "other"), [("qg", "toptagging"), ("toptagging", "qg"), ("pfnano", "jetclass")])
def test_a_file_of_another_format_than_the_yaml_names(layouts, tmp_path, named, other):
    (tmp_path / "data.yaml").write_text(f"format: {named}\nfiles: {{a: {layouts[other]}}}\n")
    label = FORMATS[other].label
    assert_matches(
        f"is not {re.escape(FORMATS[named].label)}, as the YAML says; it seems to be {re.escape(label)}",
        reasons(tmp_path / "data.yaml", tmp_path / "out"),
    )


@pytest.mark.parametrize(
    ("listed", "classes"),
    [
        (("zz", "aa"), ["zz", "aa"]),
        (("aa", "zz"), ["aa", "zz"]),
        (("aa", "Qcd"), ["Qcd", "aa"]),
        (("0", "1"), ["0", "1"]),
        (("1", "0"), ["0", "1"]),
    ],
)
def test_classes_are_numbered_as_they_are_listed(layouts, tmp_path, listed, classes):
    """Whatever the names of the files: these of `pfnano` are qcd.root and hbb.root."""
    folder = layouts["pfnano"].parent
    lines = "\n".join(f"  {name}: {folder / file}" for name, file in zip(listed, ("qcd.root", "hbb.root"), strict=True))
    (tmp_path / "data.yaml").write_text(f"format: pfnano\nfiles:\n{lines}\n")
    assert process([tmp_path / "data.yaml"], tmp_path / "out")["classes"] == classes


@pytest.fixture
def own_file(made_jets, tmp_path):
    """A writer of a parquet file and its YAML, some of whose columns are changed."""

    def write(**changed):
        own = {name: made_jets.jagged[name] for name in ("px", "py", "pz", "energy", "charge")}
        own |= {"isH": made_jets.label, "isQ": 1 - made_jets.label, "w": np.ones(24)}
        ak.to_parquet(ak.zip({**own, **changed}, depth_limit=1), tmp_path / "own.parquet")
        text = YAML.replace(
            "{px: PX, py: PY, pz: PZ, energy: EN}", "{px: px, py: py, pz: pz, energy: energy, charge: charge}"
        )
        (tmp_path / "data.yaml").write_text(text.replace("MeV", "GeV"))
        return tmp_path / "data.yaml"

    return write


def with_null(values, *place):
    """Values one of which is null."""
    found = ak.to_list(values)
    inner = found
    for i in place[:-1]:
        inner = inner[i]
    inner[place[-1]] = None
    return ak.Array(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda jets: {"px": with_null(jets.jagged["px"], 9, 1)}, r"px has no value .null. in entry 9"),
        (lambda jets: {"charge": with_null(jets.jagged["charge"], 8, 0)}, r"charge has no value .null. in entry 8"),
        (lambda jets: {"py": with_null(jets.jagged["py"], 2)}, r"py has no value .null. in entry 2"),
        (lambda jets: {"isH": with_null(jets.label, 3)}, r"isH has no value .null. in entry 3"),
        (lambda jets: {"w": with_null(np.ones(24), 5)}, r"w has no value .null. in entry 5"),
        (lambda jets: {"isH": np.array(["yes", "no"])[jets.label]}, "isH holds text, not numbers"),
        (lambda jets: {"charge": ak.Array([["+"] * n for n in jets.counts])}, "charge holds text, not numbers"),
    ],
)
def test_nulls_and_text_are_no_numbers(made_jets, own_file, tmp_path, change, words):
    """Libraries would hand on whatever lies below a null."""
    assert_matches(words, reasons(own_file(**change(made_jets)), tmp_path / "out"))


def test_a_column_is_not_named_for_two_properties(own_file, tmp_path):
    given = own_file()
    given.write_text(given.read_text().replace("py: py", "py: px"))
    assert_matches("line 5: particles: px and py are the same column 'px'", reasons(given, tmp_path / "out"))


def test_classes_that_are_told_twice_are_refused(made_jets, tmp_path):
    given = layout_writers.write_jetclass_parquet(made_jets, tmp_path)
    columns = ak.from_parquet(given)
    own = {name: columns[name] for name in columns.fields} | {"label_QCD": np.ones(24), "label_Hbb": np.zeros(24)}
    ak.to_parquet(ak.zip(own, depth_limit=1), given)
    assert_matches(
        "classes twice, by jet_label and by label_QCD, label_Hbb; leave one", reasons(given, tmp_path / "out")
    )


def test_a_dataset_of_one_class_brings_a_warning(made_jets, tmp_path):
    given = layout_writers.write_qg(made_jets.some(made_jets.label == 1), tmp_path)
    made = process([given], tmp_path / "out")
    assert "the dataset has one class only, quark, of which no network learns" in "".join(made["warnings"])


def test_arrays_of_python_objects_are_not_called_damaged(tmp_path):
    np.savez(tmp_path / "own.npz", X=np.array([[1, 2], [3]], object), y=np.zeros(2))
    assert_matches("holds arrays of Python objects", reasons(tmp_path / "own.npz", tmp_path / "out"))


def test_a_class_is_not_chosen_twice(layouts, tmp_path):
    with pytest.raises(ConfigurationError, match="classes: 'QCD' is there twice"):
        process([layouts["jetclass"]], tmp_path / "out", classes=["QCD", "QCD"])


def test_options_of_clustering_do_not_go_with_given_jets(layouts, tmp_path):
    settings = JetSettings().for_given_jets(True)
    settings = replace(settings, selection=replace(settings.selection, algorithm="ca"))
    with pytest.raises(ConfigurationError, match=r"algorithm = ca: .* gives jets, which are not clustered"):
        process([layouts["jetclass"]], tmp_path / "out", settings)


@pytest.mark.parametrize(
    ("weight", "named", "words"),
    [
        (np.full((24, 3), 2.0), '"w[7]"', r"w\[7\]: some of w have no component 7"),
        (np.full(24, 2.0), '"w[0]"', r"w\[0\]: w has 1 axes, of which there must be 2"),
        (np.zeros(24), "w", r"class \S+ has 0 as sum of weights; it must be above 0"),
        (np.full(24, -2.0), "w", "class Hbb has -24 as sum of weights"),
        (
            np.where(np.arange(24) == 3, 1e300, 1.0),
            "w",
            r"weight is 1e\+300 in entry 3 of these; weights are below 1e\+18",
        ),
        (np.where(np.arange(24) == 3, np.inf, 1.0), "w", "w is inf in entry 3"),
    ],
)
def test_weights_that_no_class_can_have(own_file, tmp_path, weight, named, words):
    given = own_file(w=weight)
    given.write_text(given.read_text().replace("weight: w", f"weight: {named}"))
    assert_matches(words, reasons(given, tmp_path / "out"))


def test_a_component_is_named_on_the_command_line_for_any_container(own_file, tmp_path):
    given = own_file(w=np.stack([np.full(24, value) for value in (2.0, 3.0)], axis=1))
    given.write_text(given.read_text().replace(", weight: w", ""))
    for component in (0, 1):
        process([given], tmp_path / str(component), weight=f"w[{component}]")
        weights = xaug.Dataset.open(tmp_path / str(component)).load("weight")["weight"]
        np.testing.assert_array_equal(weights, 2.0 + component)


def test_negative_weights_are_kept(own_file, tmp_path):
    made = process([own_file(w=np.where(np.arange(24) % 6 == 0, -1.0, 1.0))], tmp_path / "out")
    assert sum(one["sum_weights_selected"] for one in made["processes"].values()) == 24 - 2 * 4
