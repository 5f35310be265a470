"""Notice input files that change while they are processed."""

from __future__ import annotations

import os

from xaug.core.files import digest_file
from xaug.process.search import is_local

__all__ = ["Changes"]

State = tuple[int, int, int, int]


class Changes:
    """States of local files when they were checked, which tell later whether they have changed.

    Remote files are not watched.
    """

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._digests: dict[str, str] = {}

    def note(self, path: str) -> None:
        """Take the state of a file, before it is read for the first time."""
        state = _state(path)
        if state is not None:
            self._states[path] = state

    def noted(self, path: str, digest: str) -> None:
        """Take the digest of a file that was found good."""
        self._digests[path] = digest

    def of(self, path: str) -> str | None:
        """Say what happened to a file since, as the predicate of a sentence; None if it is as it was.

        A file that is gone has not changed: nothing could be read of it.
        """
        before, now = self._states.get(path), _state(path)
        if before is None or now is None or before == now or digest_file(path) == self._digests.get(path):
            return None
        return f"changed while it was processed (it had {before[1]} bytes, now {now[1]})"


def _state(path: str) -> State | None:
    """Inode, size and times of a local file, which change with it."""
    if not is_local(path):
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
