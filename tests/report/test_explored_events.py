"""The events that a page holds, against the attributions; and the page in a browser."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.stage import explain_run, load_attributions
from xaug.report.explored_events import chosen_events, pack_runs
from xaug.report.figures import GENERIC
from xaug.report.opening import summary_sentences
from xaug.report.packing import packed
from xaug.report.report_inputs import Sources, open_inputs
from xaug.report.stage import report
from xaug.training.stage import train

NAME = "rnn_<b>$x$"
"""Name of a run that is hostile to pages."""


@pytest.fixture(scope="module")
def made(tmp_path_factory, event_run):
    """A report of a 2D CNN and of a recurrent network on toy jets, and of the events of `event_run`."""
    from xaug.generate.toy import generate

    path = tmp_path_factory.mktemp("explored")
    generate(path / "data", jets=150, overlap="large", seed=3)
    for name, network in {"cnn2d": "cnn2d", NAME: "rnn"}.items():
        train(path / "data", path / name, network=network, trainings=1, epochs=1)
        explain_run(path / name, path / f"{name}_lrp", max_events=30)
    report([path / "cnn2d", path / NAME], path / "r", [path / "cnn2d_lrp", path / f"{NAME}_lrp"], keys=["roc"])
    explain_run(event_run, path / "blank", method="ig", baseline="blank", max_events=20)
    report([event_run], path / "events", [path / "blank"], keys=["roc"])
    return path


def explored(page):
    return json.loads(re.search(r'<script type="application/json" id="explored">(.*?)</script>', page.read_text())[1])


def unpacked(content):
    values = np.frombuffer(base64.b64decode(content["data"]), dtype=f"<{content['type']}")
    return values.reshape(content["shape"])


def test_events_of_the_page_are_those_of_the_attributions(made):
    first = explored(made / "r" / "report.html")[0]
    (attribution,) = load_attributions(made / "cnn2d_lrp")
    arrays = xaug.Dataset.open(made / "data").load(["image", "xaug", "label"], "test")
    rows = unpacked(first["rows"])
    np.testing.assert_array_equal(rows, attribution.rows)
    np.testing.assert_array_equal(unpacked(first["label"]), arrays["label"][rows])
    np.testing.assert_array_equal(unpacked(first["score"]), xaug.load_run(made / "cnn2d").scores(0)["score"][rows])
    np.testing.assert_allclose(unpacked(first["values"]), arrays["xaug"][rows], rtol=1e-6)
    names = [one["name"] for one in first["features"]]
    sums = dict(zip(names, unpacked(first["relevance"]).T, strict=True))
    np.testing.assert_allclose(sums["image"], attribution.relevance["image"].sum((1, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sums["theta"], attribution.relevance["xaug"][:, 0], rtol=1e-6)
    assert next(one["text"] for one in first["features"] if one["name"] == "theta") == "θ"
    pixels, codes = arrays["image"][rows][..., 0], unpacked(first["image"]["values"])
    np.testing.assert_array_equal(codes > 0, pixels > 0)
    heat = unpacked(first["image"]["relevance"]) / 127 * unpacked(first["image"]["relevance"]["scale"])[:, None, None]
    scale = np.abs(attribution.relevance["image"]).max()
    np.testing.assert_allclose(heat, attribution.relevance["image"][..., 0], atol=0.0041 * scale)
    np.testing.assert_allclose(unpacked(first["image"]["sum"]), sums["image"], rtol=1e-5, atol=1e-7)


def test_lists_of_the_page_are_those_of_the_dataset(made):
    second = explored(made / "r" / "report.html")[1]
    own, rows = second["list"], unpacked(second["rows"])
    values = xaug.Dataset.open(made / "data").load(["list"], "test")["list"][rows]
    low, high = np.array(own["low"] if "low" in own else own["values"]["low"]), np.array(own["values"]["high"])
    found = low + unpacked(own["values"]) / 65534 * (high - low)
    np.testing.assert_allclose(found, values, atol=float((high - low).max()) / 65534)
    (attribution,) = load_attributions(made / f"{NAME}_lrp")
    entries = unpacked(own["relevance"]) / 32767 * unpacked(own["relevance"]["scale"])[:, None, None]
    np.testing.assert_allclose(entries, attribution.relevance["list"], atol=2e-5 * np.abs(entries).max())
    particles = attribution.relevance["list"].sum(axis=-1)
    np.testing.assert_allclose(unpacked(own["sums"]), particles, rtol=1e-5, atol=1e-6 * np.abs(particles).max())
    assert second["image"] is None


def test_events_without_image_and_list_have_their_baseline(made):
    (only,) = explored(made / "events" / "report.html")
    assert only["image"] is None
    assert only["list"] is None
    (attribution, _) = load_attributions(made / "blank")
    np.testing.assert_allclose(unpacked(only["reference"]), attribution.reference, rtol=1e-6)
    total = unpacked(only["reference"]) + unpacked(only["relevance"]).sum(axis=1)
    np.testing.assert_allclose(total, attribution.logit + attribution.residual, rtol=1e-4, atol=1e-4)


def test_pages_with_events_are_well_formed_and_small(made, read_page):
    page = read_page(made / "r" / "report.html", latex=True)
    assert f"({NAME})" in page.text
    assert {link["href"] for link in page.all("a")} >= {"#events", "#explore"}
    read_page(made / "events" / "report.html")


def test_a_small_page_holds_fewer_events_of_both_runs(made):
    sources = Sources([made / "cnn2d", made / NAME], [made / "cnn2d_lrp", made / f"{NAME}_lrp"])
    explained = open_inputs(sources).inputs.explained
    whole, few = pack_runs(explained, 10_000_000), pack_runs(explained, 90_000)
    assert [len(unpacked(one["rows"])) for one in whole] == [30, 30]
    assert all(0 < len(unpacked(one["rows"])) < 30 for one in few)
    assert len(json.dumps(few)) < 90_000
    assert pack_runs(explained, 0) == []


def test_a_report_of_one_event(made, tmp_path, read_page):
    explain_run(made / "cnn2d", tmp_path / "one", max_events=1)
    report([made / "cnn2d"], tmp_path / "r", [tmp_path / "one"], keys=["relevance"])
    read_page(tmp_path / "r" / "report.html")
    assert len(unpacked(explored(tmp_path / "r" / "report.html")[0]["rows"])) == 1


def test_a_report_of_one_event_by_a_method_with_a_baseline(event_run, tmp_path, read_page):
    """One event has no mean over a class: figures of it are left out, or refused by what they need."""
    explain_run(event_run, tmp_path / "one", method="ig", baseline="blank", max_events=1)
    sources = Sources([event_run], [tmp_path / "one"])
    inputs = open_inputs(sources).inputs
    drawn = {entry.key for entry in GENERIC if entry.found_in(inputs)}
    assert "relevance" in drawn and not {"top_features", "features"} & drawn
    report([event_run], tmp_path / "r", [tmp_path / "one"], keys=["relevance"])
    assert "Baselines, and how far they lie from the data" in read_page(tmp_path / "r" / "report.html").text
    with pytest.raises(ConfigurationError, match=r"needs attributions .* with two events of the class or more"):
        report([event_run], tmp_path / "none", [tmp_path / "one"], keys=["top_features"])


def test_the_summary_tells_events_that_are_lost(made):
    """A relevance that is not finite: means leave the event out, and the page says so."""
    one = open_inputs(Sources([made / "cnn2d"], [made / "cnn2d_lrp"])).inputs
    assert not any("not finite" in text for text in summary_sentences(one))
    own = one.explained[0]
    own.explanation = replace(own.explanation, lost=[2])
    (told,) = [text for text in summary_sentences(one) if "not finite" in text]
    assert told == f"{own.title}: jets with a relevance that is not finite are left out (2 of 30 in training 1)."


def test_events_are_chosen_in_equal_distances():
    assert chosen_events(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert chosen_events(101, 11).tolist() == list(range(0, 101, 10))


DRIVE = """
const find = (id) => document.getElementById(id);
const choose = (id, value) => { find(id).value = value; find(id).dispatchEvent(new Event("change")); };
const press = (key) => find("browser").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const facts = () => find("browser-facts").textContent;
const bytes = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const inked = (canvas) => new Set(bytes(canvas)).size > 2;
const answer = { first: facts() };
answer.near = [...document.querySelectorAll("#browser-neighbours tbody tr")].map((row) =>
  [...row.children].map((cell) => cell.textContent));
document.querySelector("#browser-neighbours button").click(); answer.shown = facts(); press("Home");
press("ArrowRight"); answer.second = facts();
press("ArrowLeft"); answer.back = facts();
press("End"); answer.last = facts(); answer.atEnd = find("browser-next").disabled;
find("browser-previous").click(); answer.before = facts();
choose("browser-class", "1"); choose("browser-order", "down"); answer.signal = facts();
choose("browser-score", "0,0.1"); choose("browser-decision", "1"); answer.none = facts();
choose("browser-decision", ""); choose("browser-score", "0,1");
answer.bars = document.querySelectorAll("#browser-features rect").length;
answer.waterfall = document.querySelector("#browser-features svg").getAttribute("aria-label");
answer.heat = find("browser-heat").querySelector(".key").textContent;
answer.image = !find("browser-image").hidden && inked(document.querySelector("#browser-heat canvas"));
answer.list = find("browser-list").hidden ? 0 : document.querySelectorAll("#browser-list tbody tr").length;
const canvas = document.querySelector("#explorer canvas");
answer.figures = ["swarm", "profile", "map"].map((name) => {
  choose("explorer-figure", name); return [inked(canvas), canvas.getAttribute("aria-label")]; });
if (find("browser-run").options.length > 1) {
  choose("browser-run", "1");
  answer.names = [...find("browser-run").options].map((one) => one.textContent);
  answer.listOfSecond = document.querySelectorAll("#browser-list tbody tr").length;
  answer.imageOfSecond = find("browser-image").hidden; }
const heading = document.querySelector("#table-performance thead button");
const order = () => [...document.querySelectorAll("#table-performance tbody th")].map((one) => one.textContent);
heading.click(); answer.sorted = order();
heading.click(); answer.reversed = order();
answer.marked = heading.parentElement.getAttribute("aria-sort");
"""


def test_the_browser_of_jets_works_in_chromium(made, tmp_path):
    from report.chromium import run_page

    answer, errors = run_page(made / "r" / "report.html", tmp_path / "c", DRIVE)
    assert errors == []
    (attribution,) = load_attributions(made / "cnn2d_lrp")
    n = len(attribution)
    row, score = attribution.rows, xaug.load_run(made / "cnn2d").scores(0)["score"][attribution.rows]
    for key, i in (("first", 0), ("second", 1), ("back", 0), ("last", n - 1), ("before", n - 2)):
        assert answer[key].startswith(f"{i + 1} of {n}: row {row[i]}, true class "), key
    assert answer["atEnd"]
    signal = attribution.label == 1
    assert answer["signal"].startswith(
        f"1 of {signal.sum()}: row {row[signal][np.argmax(score[signal])]}, true class signal"
    )
    assert answer["none"] == "No event passes these filters."  # signal of a score below 0.1 is never correct
    assert answer["bars"] >= 5
    assert "θ = " in answer["waterfall"]
    assert answer["image"]
    heat, steps = (
        re.search(pattern, answer[key])
        for pattern, key in ((r"sum ([^ ]+\d)", "heat"), (r"image: ([^;]+)", "waterfall"))
    )
    assert heat[1] == steps[1]  # the same number, below the heat map and in the waterfall
    assert answer["list"] == 0
    values = xaug.Dataset.open(made / "data").load(["xaug"], "test")["xaug"][row].astype(float)
    distance = np.linalg.norm((values - values[0]) / values.std(axis=0, ddof=1), axis=1)
    near = np.argsort(distance, kind="stable")[1:7]
    assert [int(cells[0]) for cells in answer["near"]] == row[near].tolist()
    assert [float(cells[4]) for cells in answer["near"]] == pytest.approx(distance[near], rel=0.01)
    assert f"row {row[near[0]]}, true class " in answer["shown"]
    assert [inked for inked, _ in answer["figures"]] == [True] * 3
    assert len({text for _, text in answer["figures"]}) == 3
    assert [name.endswith(f"({own})") for name, own in zip(answer["names"], ("cnn2d", NAME), strict=True)] == [True] * 2
    assert (answer["listOfSecond"], answer["imageOfSecond"]) == (10, True)
    assert answer["sorted"] == sorted(answer["sorted"], reverse=True)
    assert answer["reversed"] == answer["sorted"][::-1]
    assert answer["marked"] == "ascending"


def test_the_browser_of_events_works_in_chromium(made, tmp_path):
    from report.chromium import run_page

    answer, errors = run_page(made / "events" / "report.html", tmp_path / "c", DRIVE)
    assert errors == []
    assert not answer["image"]
    assert answer["list"] == 0
    assert answer["bars"] >= 15
    assert answer["waterfall"].startswith("Waterfall from ")


def tiled(content, number):
    """The packed events of a run, repeated until there are so many."""
    n = unpacked(content["rows"]).shape[0]

    def grown(value):
        if not isinstance(value, dict):
            return value
        if "data" in value:
            array = unpacked(value)
            more = packed(np.resize(array, (number, *array.shape[1:])), value["type"]) if len(array) == n else {}
            return {key: grown(own) for key, own in value.items()} | more
        return {key: grown(own) for key, own in value.items()}

    return {key: grown(value) for key, value in content.items()}


USED = (
    "const facts = () => document.getElementById('browser-facts').textContent; const answer = {first: facts()};"
    "document.getElementById('browser-next').click(); answer.second = facts(); answer.ready = performance.now();"
)


@pytest.fixture
def used(made, tmp_path):
    """used(events): milliseconds until a page of so many events is drawn and was used; None: of those that it has."""
    from report.chromium import run_page

    calls = []

    def use(events=None):
        page = made / "r" / "report.html"
        contents = explored(page)
        if events:
            contents, text = [tiled(one, events) for one in contents], page.read_text()
            page = tmp_path / f"{events}.html"
            page.write_text(
                re.sub(
                    r'(id="explored">).*?(</script>)',
                    lambda found: f"{found[1]}{json.dumps(contents)}{found[2]}",
                    text,
                )
            )
        calls.append(page)
        answer, errors = run_page(page, tmp_path / f"c{len(calls)}", USED, real_time=True)
        assert errors == []
        total = events or unpacked(contents[0]["rows"]).shape[0]
        assert answer["first"].startswith(f"1 of {total}: ") and answer["second"].startswith(f"2 of {total}: ")
        return answer["ready"]

    return use


def test_a_page_of_a_thousand_events_is_used_as_soon_as_one_of_few(used):
    """From the start of the navigation until the browser and the figures to choose are drawn, and one event later."""
    few, many = [], []
    while not few or (min(many) > 3 * min(few) and len(few) < 4):
        few.append(used())
        many.append(used(1000))
    assert 0 < min(many) <= 3 * min(few)


@pytest.mark.benchmark
def test_a_page_of_a_thousand_events_is_used_within_two_seconds(used):
    assert min(used(1000) for _ in range(3)) < 2000  # milliseconds


def test_numbers_that_are_not_finite_are_told(made, tmp_path):
    from report.chromium import run_page

    page = made / "events" / "report.html"
    (content,) = explored(page)
    content["relevance"] = packed(np.full_like(unpacked(content["relevance"]), np.nan))
    content["output"] = packed(np.full(20, np.inf))
    broken = tmp_path / "report.html"
    text = re.sub(
        r'(id="explored">).*?(</script>)',
        lambda found: f"{found[1]}{json.dumps([content])}{found[2]}",
        page.read_text(),
    )
    broken.write_text(text)
    answer, errors = run_page(
        broken, tmp_path / "c", "const answer = document.getElementById('browser-features').textContent;"
    )
    assert errors == []
    assert "Some numbers of this event are not finite" in answer
