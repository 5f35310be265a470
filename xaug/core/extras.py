"""Packages that only some commands need: which extra of xaug installs them."""

from __future__ import annotations

import re

__all__ = ["extra_of", "missing_package"]


def extra_of(package: str) -> str | None:
    """The extra of xaug that installs a package, as the metadata of the installed xaug says it.

    Parameters
    ----------
    package : str
        name of a package, or of its module where both are called alike

    Returns
    -------
    str or None
        the first extra that lists the package; None if none does, or if xaug is not installed
    """
    from importlib import metadata

    try:
        requirements = metadata.requires("xaug") or []
    except metadata.PackageNotFoundError:
        return None
    for requirement in requirements:
        found = re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", requirement)
        if found and found[1].lower().replace("-", "_") == package.lower().replace("-", "_"):
            return found[2]
    return None


def missing_package(error: ModuleNotFoundError) -> str | None:
    """The remedy for a package that is not installed; None if the missing module is one of xaug.

    Parameters
    ----------
    error : ModuleNotFoundError
        the error of the import
    """
    package = (error.name or "").split(".")[0]
    if package in ("", "xaug"):
        return None
    extra = extra_of(package)
    remedy = f"pip install 'xaug[{extra}]'" if extra else f"pip install {package}"
    everything = ", or all that the studies need with pip install 'xaug[study]'" if extra else ""
    return f"the package {package} is not installed; install it with {remedy}{everything}"
