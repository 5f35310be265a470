"""Input files that a manifest of xaug records: damage and loss are noticed, whatever ROOT makes of them."""

import json
import re
import shutil

import pytest

from xaug.core import provenance


def mirrored(branches, angle="phi"):
    """Other events, as good as those that they are made of."""
    branches.update({name: -branches[name] for name in (f"constituent_{angle}", f"gen_{angle}")})


@pytest.fixture
def generated(make_file, tmp_path):
    """A directory as `xaug.generate` leaves it, with events in one file and their mirror images in another."""
    files = tmp_path / "files"
    files.mkdir()
    provenance.begin(files, "generate", {"seed": 1})
    make_file(files / "a.root")
    make_file(files / "b.root", change=mirrored)
    provenance.write(files, "generate", {"seed": 1})
    return files


def flip_one_bit(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 16
    path.write_bytes(content)


DAMAGE = {
    "a flipped bit": (flip_one_bit, "its content is not what was written"),
    "a cut end": (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"it has \d+ bytes, not \d+"),
    "nothing": (lambda path: path.write_bytes(b""), r"it has 0 bytes, not \d+"),
    "a missing file": (lambda path: path.unlink(), "it is missing"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_skipped_and_named(case, generated, tmp_path, process_command):
    damage, reason = DAMAGE[case]
    damage(generated / "b.root")
    result = process_command(generated, "-o", tmp_path / "out")
    assert result.exit_code == 3
    skipped = [line for line in result.stdout.splitlines() if line.startswith("skipped")]
    assert len(skipped) == 1
    assert re.fullmatch(
        rf"skipped {generated}/b\.root: is damaged \({reason}\)\. "
        rf"Run `python -m xaug\.generate \.\.\. -o {generated}` again: it keeps what is not damaged",
        skipped[0],
    )


def test_a_damaged_manifest_protects_nothing(generated, tmp_path, process_command):
    flip_one_bit(generated / "manifest.json")
    result = process_command(generated, "-o", tmp_path / "out")
    assert result.exit_code == 1 and "manifest.json is damaged" in result.stderr


@pytest.mark.parametrize("content", [json.dumps({"files": ["a.root"]}), "[]", "no JSON"])
def test_manifests_of_other_programs_are_left_alone(content, generated, tmp_path, process_command):
    (generated / "started.json").unlink()
    (generated / "manifest.json").write_text(content)
    assert process_command(generated, "-o", tmp_path / "out").exit_code == 0


def test_files_that_the_manifest_does_not_know_are_processed(generated, make_file, tmp_path, process_command):
    shutil.copytree(generated, tmp_path / "copy")
    make_file(tmp_path / "copy" / "c.root", change=lambda branches: mirrored(branches, "eta"))
    result = process_command(tmp_path / "copy", "-o", tmp_path / "out")
    assert result.exit_code == 0 and len(list((tmp_path / "out").glob("*.h5"))) == 3
