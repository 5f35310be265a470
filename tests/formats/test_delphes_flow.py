"""Jets of Delphes files: energy flow, particle-flow candidates and plain columns of the same particles agree."""

import json

import awkward as ak
import numpy as np
import pytest
from layout_writers import TOWER, TRACK, delphes_columns, write_delphes

from xaug.data.dataset import Dataset
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.process.stage import process


@pytest.fixture(scope="module")
def datasets(made_jets, tmp_path_factory):
    place = tmp_path_factory.mktemp("delphes")
    own = made_jets.jagged
    neutral = own["charge"] == 0
    own["mass"] = ak.where(neutral, 0.0, own["mass"])  # towers have none
    for unit in ("dxy", "dz"):
        own[unit] = ak.where(neutral, 7e7, own[unit])  # Delphes fills the values of towers with anything

    def named(names, chosen=None):
        return delphes_columns(own, names, chosen)

    write_delphes(place / "candidates.root", {"ParticleFlowCandidate": named(TRACK)})
    flow = {"EFlowTrack": named(TRACK, ~neutral), "EFlowPhoton": named(TOWER, own["id"] == 22)}
    flow["EFlowNeutralHadron"] = named(TOWER, own["id"] == 130)
    write_delphes(place / "flow.root", flow)
    plain = {name: own[name] for name in ("pt", "eta", "phi", "mass", "id", "charge", "dxy", "dz")}
    plain |= {name: ak.where(neutral, 0.0, own[name]) for name in ("dxy", "dz")}
    ak.to_parquet(ak.zip(plain, depth_limit=1), place / "plain.parquet")
    keys = ", ".join(f"{name}: {name}" for name in plain)
    (place / "plain.yaml").write_text(
        f"format: columns\nfiles: {{signal: plain.parquet}}\njets: {{given: false}}\nparticles: {{{keys}}}\n"
    )
    for name, form in (("flow", "delphes"), ("candidates", "delphes_candidates")):
        (place / f"{name}.yaml").write_text(f"format: {form}\nfiles: {{signal: {name}.root}}\n")
    settings = JetSettings(selection=Selection(**{**OPEN, "pt_min": 50.0}))
    for name in ("plain", "flow", "candidates"):
        process([place / f"{name}.yaml"], place / name, settings)
    return {name: Dataset.open(place / name) for name in ("plain", "flow", "candidates")}


@pytest.mark.parametrize("layout", ["flow", "candidates"])
def test_the_same_particles_give_the_same_jets(datasets, layout):
    found, expected = datasets[layout], datasets["plain"]
    assert found.names("xaug") == expected.names("xaug") and len(found) == len(expected) >= 24
    assert json.dumps(found.manifest["cut_flow"]) == json.dumps(expected.manifest["cut_flow"])
    for block in ("list", "xaug"):
        for i, name in enumerate(found.names(block)):
            if name != "pull_angle":
                values = (data.load([block])[block][..., i] for data in (found, expected))
                np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-4, err_msg=name)
