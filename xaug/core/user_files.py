"""Python files of the user, which a command runs: once for each content, and refused by name where they fail."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from xaug.core.errors import ConfigurationError

__all__ = ["run_file"]


@lru_cache(maxsize=64)
def run_file(
    path: Path, digest: str, kind: str, called: str, remedy: str = "", imports_beside: bool = False
) -> ModuleType:
    """The module of a file, which is run the first time that it is asked for with this content.

    Parameters
    ----------
    path : Path
        the file, absolute
    digest : str
        digest of its bytes
    kind : str
        what it is for: a word of the name under which Python keeps the module
    called : str
        what a message calls it, as "plugin mine.py"
    remedy : str
        what a message adds to the reason
    imports_beside : bool
        whether the file can import files beside it, as a script does

    Raises
    ------
    ConfigurationError
        if the file is no Python file, or fails, or leaves Python, which would end the command without a word
    """
    name = f"xaug_{kind}_{digest[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{called} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if imports_beside:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = f"{called} cannot be run ({type(error).__name__}: {error})"
        raise ConfigurationError(f"{reason}. {remedy}" if remedy else reason) from error
    finally:
        if imports_beside:
            sys.path.remove(str(path.parent))
    return module
