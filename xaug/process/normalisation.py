"""Cross sections and sums of weights of the processes of a dataset, from its input files and parts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import JsonObject
from xaug.data.parts import PartSummary
from xaug.data.weights import LUMINOSITY
from xaug.process.inputs import InputFile

__all__ = ["check_normalisation", "normalisation", "read_k_factors", "refuse_few"]


def read_k_factors(path: str) -> dict[str, float]:
    """Read a table of k-factors by process name from a JSON or YAML file."""
    import yaml

    try:
        with open(path, encoding="utf-8-sig") as file:
            table = yaml.safe_load(file)  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"--k-factors {path} cannot be read ({reason})") from None
    if not isinstance(table, dict):
        raise ConfigurationError(f"--k-factors {path}: must be an object like {{'wjets': 1.2}}")
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not (0 < value < math.inf):
            raise ConfigurationError(f"--k-factors {path}: {name} has {value!r}; must be a number above 0")
    return {str(name): float(value) for name, value in table.items()}


def cross_section(files: list[InputFile]) -> tuple[float | None, float | None]:
    """Cross section of a process and its error [pb]; None where its files do not name it.

    It is the mean over files, weighted by their generated events. Files of one process are blocks of one sample, so
    their cross sections must agree.
    """
    known = [file.xsec for file in files if file.xsec is not None]
    if not known:
        return None, None
    if len(known) < len(files):
        lacking = next(file.path for file in files if file.xsec is None)
        raise ConfigurationError(f"process {files[0].process}: {lacking} has no xsec, other files have; name it in all")
    events = [file.events_generated or file.entries for file in files]
    xsec = sum(n * own for n, own in zip(events, known, strict=True)) / sum(events)
    errors = [file.xsec_error or 0.0 for file in files]
    for file, own, error in zip(files, known, errors, strict=True):
        if abs(own - xsec) > 6 * error + 0.05 * xsec:
            raise ConfigurationError(
                f"process {file.process}: {file.path} has a cross section of {own:.4g} pb, all its files "
                f"together {xsec:.4g} pb; give samples that differ different process names"
            )
    return xsec, math.hypot(*(n * error for n, error in zip(events, errors, strict=True))) / sum(events)


def check_normalisation(files: list[InputFile], k_factors: Mapping[str, float]) -> None:
    """ConfigurationError if a k-factor names no process, or cross sections of a process contradict each other."""
    names = sorted({name for file in files for name in file.processes})
    for name in k_factors:
        if name not in names:
            raise unknown_name("process in the k-factors", name, names)
    for name in names:
        cross_section([file for file in files if name in file.processes])


def normalisation(
    files: list[InputFile], parts: list[PartSummary], k_factors: Mapping[str, float]
) -> dict[str, JsonObject]:
    """Numbers that normalise each process: an event of weight w stands for xsec * w / sum_weights_generated.

    Where only a part of a file could be processed, that share of its generated weight counts.

    Parameters
    ----------
    files
        input files
    parts
        parts of the dataset that were made of them
    k_factors
        process name -> factor of its cross section

    Returns
    -------
    process name -> label, rows, xsec and xsec_error [pb] with the k-factor (absent if unknown), k_factor,
    events_generated, sum_weights_generated, sum_weights_selected, effective_events: (sum of weights)^2 / (sum of their
    squares) of the rows (absent if an older part does not tell the squares), and expected_events: the number of events
    that pass the selection at `xaug.data.weights.LUMINOSITY` (absent without a cross section)
    """
    names = list(dict.fromkeys(own.process for part in parts for own in part.contents))
    found: dict[str, JsonObject] = {}
    for name in names:
        own = [(part, one) for part in parts for one in part.contents if one.process == name]
        of_files = [file for file in files if name in file.processes]
        generated = events = 0.0
        for file in of_files:
            read = [(part, one) for part, one in own if part.file == file.path]
            entries = sum(part.stop - part.start for part, _ in read)
            share = entries / file.entries
            weight = sum(one.sum_weight_read for _, one in read)
            generated += weight if file.sum_weight is None else share * file.sum_weight
            own_events = entries / file.listed * file.processes[name]
            events += own_events if file.events_generated is None else share * file.events_generated
        k = k_factors.get(name, 1.0)
        xsec, error = cross_section(of_files)
        selected, squares = (
            sum(one.sum_weights_selected for _, one in own),
            [one.sum_squares_selected for _, one in own],
        )
        found[name] = {
            "label": own[0][1].label,
            "rows": sum(one.rows for _, one in own),
            **({} if xsec is None or error is None else {"xsec": k * xsec, "xsec_error": k * error}),
            "k_factor": k,
            "events_generated": round(events),
            "sum_weights_generated": generated,
            "sum_weights_selected": selected,
        }
        if None not in squares:
            total = sum(square for square in squares if square)
            found[name]["effective_events"] = selected**2 / total if total else 0.0
        if xsec is not None and generated:
            found[name]["expected_events"] = k * xsec * LUMINOSITY * selected / generated
    return found


def refuse_few(processes: Mapping[str, JsonObject], least: float) -> None:
    """Raise ConfigurationError if processes have fewer effective events than asked for.

    Parameters
    ----------
    processes
        what `normalisation` found
    least
        least effective number of selected events of each process
    """
    lines = []
    for name, found in processes.items():
        effective: float = found["effective_events"] if "effective_events" in found else found["rows"]
        if effective < least:
            generated = found["events_generated"]
            enough = f"about {math.ceil(1.1 * generated * least / effective):,}" if effective else "many times more"
            lines.append(
                f"process {name} has {found['rows']} selected events, effectively {effective:.1f}; generate {enough} "
                f"events of it instead of {generated:,}"
            )
    if lines:
        raise ConfigurationError(f"fewer than {least:g} effective events: {'; '.join(lines)}")
