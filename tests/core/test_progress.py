"""Progress of a command: on standard error, in whole lines where that is no terminal."""

import fcntl
import os
import select
import struct
import sys
import termios

import pytest

from xaug.core.progress import bar, fitted, following, note


def test_progress_goes_to_standard_error(capsys):
    with bar(3, "working", "files") as progress:
        progress.update(3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "working" in captured.err and "3/3" in captured.err


def test_progress_in_a_log_is_short(capsys):
    """A thousand steps without a terminal: not a thousand lines."""
    assert not sys.stderr.isatty()
    for _ in bar(None, "working", "files", iterable=range(1000)):
        pass
    found = capsys.readouterr().err
    assert "\r" not in found and "\x1b" not in found
    assert 1 <= found.count("\n") < 5


def test_progress_in_a_log_is_whole_lines(capsys):
    with bar(4, "train", "epochs", initial=1) as progress:
        progress.update(3)
        progress.set_postfix_str("validation loss 0.5")
        note("stage 2 of 3: explain")
    lines = capsys.readouterr().err.splitlines()
    assert all(line.strip() == line and line for line in lines)
    assert lines[0].startswith("train:  25% 1/4")
    assert lines[-1].startswith("train: 100% 4/4") and "validation loss 0.5" in lines[-1]
    assert "stage 2 of 3: explain" in lines


def test_a_quiet_command_shows_no_progress(capsys):
    with following(quiet=True):
        note("a line")
        with bar(3, "working", "files") as progress:
            progress.update(3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("written", "found", "nothing"), [(0, 2, True), (1, 2, False), (1, 0, False), (0, 0, False)])
def test_a_command_had_nothing_to_do_if_all_was_finished(written, found, nothing):
    with following() as done:
        done.written += ["directory"] * written
        done.found += ["directory"] * found
        assert done.had_nothing_to_do is nothing


def test_a_long_name_leaves_room_for_the_numbers_of_a_bar():
    name = "explain mlp_with_all_expert_variables_and_more"
    assert fitted(name, 80) == name and fitted("explain mlp", 40) == "explain mlp"
    assert fitted(name, 40) == "explain ...nd_more" and len(fitted(name, 40)) == 18
    assert len(fitted(name, 3)) == 12  # a terminal too narrow for anything


def read_terminal(reader, wanted):
    """The text that a terminal shows, up to what is wanted: it may arrive in several pieces."""
    shown = b""
    while wanted.encode() not in shown and select.select([reader], [], [], 20)[0]:
        shown += os.read(reader, 100_000)
    return shown.decode(errors="ignore")


def test_a_narrow_terminal_shows_the_numbers(monkeypatch):
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with bar(236, "explain mlp_with_all_expert_variables", "events") as progress:
            progress.update(118)
            progress.refresh()
        shown = read_terminal(reader, "50%").split("\r")
    os.close(reader)
    assert any(line.startswith("explain ...") and " 50%" in line for line in shown), shown
    assert max(len(line.strip("\n\x1b[A")) for line in shown) <= 40
