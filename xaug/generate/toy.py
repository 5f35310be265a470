"""The toy model: jets of two subjets of ten particles, drawn from a few distributions (arXiv:2011.13466, section 3).

One jet is the separation `theta` of its subjets, the momentum fraction `z` of the leading one, their radii
`r1`, `r2`, and the particles: shares of z and 1 - z, and polar coordinates about the axis of the subjet. Signal
and background differ in theta and z only, so that the four expert variables say all that can be known.

Lengths are in units of the image's side. The leading axis is at the centre of the image, the subleading one at
distance theta below it; the image is not rescaled to theta.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xaug._version import __version__
from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import clear_leftovers, digest_json
from xaug.core.workers import cores, run_tasks
from xaug.data.dataset import SPLITS, assign_split, event_ids, write_part
from xaug.data.variables import table_of
from xaug.generate.toy_table import IMAGE_PIXELS, PARTICLES, TOY_LIST

__all__ = ["HALF_WIDTH", "LABELS", "OVERLAPS", "Exponential", "Normal", "Population", "draw_jets", "generate"]

VERSION = 1
"""Raise it when the same seed gives other numbers: old parts are then not taken for new ones."""
LABELS = {"background": 0, "signal": 1}
"""Processes and their labels, in the order of the dataset."""

MAX_THETA = 0.5
"""Where theta is wrapped: the subleading axis is inside the image."""
RADII = (0.25, 0.5)
"""Least and largest radius of a subjet."""
ALPHA_SCALE = 0.5
"""Scale of the exponential distance of particles from their axis, before it is wrapped below the radius."""
PIXELS = IMAGE_PIXELS[0]
HALF_WIDTH = 0.5
"""The image spans [-0.5, 0.5] in both directions: one unit, with the leading axis at (0, 0)."""

BATCH = 1024
"""Jets that are drawn at once: their arrays fit in a processor's cache."""
JETS_PER_PART = 32 * BATCH
SPLIT_SEED = 0
SPLIT_FRACTIONS = (0.6, 0.2, 0.2)  # train, validation, test

FILTERS = {"image": {"compression": "lzf"}, "list": {}}
"""Images are zeros but for a few pixels, which lzf packs tighter and twice as fast unshuffled; random numbers do not
pack, with or without."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # glibc: keep freed arrays for the next batch; to fetch zeroed pages again and again takes a third more time
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(1 << 26),
}


@dataclass(frozen=True)
class Normal:
    """A normal distribution."""

    mean: float
    sigma: float

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n values, float64."""
        return rng.normal(self.mean, self.sigma, n)


@dataclass(frozen=True)
class Exponential:
    """An exponential distribution, exp(-x / scale) / scale."""

    scale: float

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n values, float64."""
        return rng.exponential(self.scale, n)


@dataclass(frozen=True)
class Population:
    """What theta and z of a class are drawn from, before they are wrapped."""

    theta: Normal | Exponential
    z: Normal | Exponential


OVERLAPS = {
    "small": {
        "background": Population(Exponential(0.02), Exponential(0.02)),
        "signal": Population(Normal(0.2, 0.02), Normal(0.5, 0.02)),
    },
    "medium": {
        "background": Population(Exponential(0.03), Exponential(0.1)),
        "signal": Population(Normal(0.2, 0.03), Normal(0.5, 0.09)),
    },
    "large": {
        "background": Population(Exponential(0.05), Exponential(0.15)),
        "signal": Population(Normal(0.2, 0.05), Normal(0.5, 0.12)),
    },
    "table1": {
        "background": Population(Exponential(0.01), Exponential(0.03)),
        "signal": Population(Normal(0.5, 0.09), Normal(0.2, 0.03)),
    },
}
"""Populations by overlap of the classes.

"medium" are the parameters behind figures 3 and 13 to 15 of the paper. "table1" is the paper's table 1 to the
letter: against the figures, it has the rows of theta and z exchanged and 0.01 in the place of 0.1.
"""


def draw_jets(population: Population, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Draw n jets of a population.

    Returns
    -------
    dict of float32 arrays
        "xaug" (n, 4): theta in [0, 0.5], z in [0.5, 1], r1, r2 in [0.25, 0.5];
        "list" (n, 10, 6): momentum fractions z1, z2, which add up to z and 1 - z and descend; distances
        delta_alpha1, delta_alpha2 < r1, r2 from the subjet axes; angles delta_beta1, delta_beta2 in [0, 2 pi)
        about them, from the image's horizontal axis;
        "image" (n, 16, 16, 1): sums of momentum fractions, see `make_images`

    References
    ----------
    arXiv:2011.13466, section 3.
    """
    theta = np.mod(population.theta.draw(rng, n), MAX_THETA).astype(np.float32)
    z = np.mod(population.z.draw(rng, n), 1.0)
    z = np.maximum(z, 1.0 - z).astype(np.float32)
    low, high = np.float32(RADII)
    radius = low + (high - low) * rng.random((2, n), np.float32)
    fraction = _momentum_fractions(rng, n)
    fraction *= np.stack([z, 1 - z])[:, None]
    alpha, beta = _polar_coordinates(rng, radius)

    particles = np.empty((n, PARTICLES, len(TOY_LIST)), np.float32)
    for column, values in enumerate((*fraction, *alpha, *beta)):
        particles[:, :, column] = values.T
    return {
        "image": make_images(theta, fraction, alpha, beta),
        "list": particles,
        "xaug": np.stack([theta, z, *radius], axis=1),
    }


def _momentum_fractions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Exponentials, normalised to sum 1 in each subjet, descending: (2, 10, n) float32.

    Drawn in order, not sorted: the k-th largest of m exponentials is the sum of E_j / j over j = k..m, with
    independent exponentials E_j (A. Renyi, Acta Math. Acad. Sci. Hung. 4 (1953) 191), and their sum that of E_j.
    """
    share = rng.standard_exponential((2, PARTICLES, n), np.float32)
    total = share.sum(axis=1, keepdims=True)
    share /= np.arange(1, PARTICLES + 1, dtype=np.float32)[:, None]
    for k in reversed(range(PARTICLES - 1)):
        share[:, k] += share[:, k + 1]
    share /= total
    return share


def _polar_coordinates(rng: np.random.Generator, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances below the radius (2, n) and angles of the particles of each subjet, each (2, 10, n) float32.

    An exponential has no memory: wrapped below r, it is one that is cut off at r, and can be had by inverting its
    distribution function (1 - exp(-x / s)) / (1 - exp(-r / s)).
    """
    alpha, beta = rng.random((2, 2, PARTICLES, radius.shape[1]), np.float32)
    scale = np.float32(ALPHA_SCALE)
    alpha *= np.expm1(-radius / scale)[:, None]
    alpha += 1
    np.log(alpha, out=alpha)
    alpha *= -scale
    # strictly inside, whatever the rounding: a distance of 0.5 would be outside the image
    np.clip(alpha, 0, np.nextafter(radius, np.float32(0))[:, None], out=alpha)
    beta *= np.nextafter(np.float32(2 * np.pi), np.float32(0))
    return alpha, beta


def make_images(theta: np.ndarray, fraction: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Images of jets, pixel intensities in units of the jet momentum.

    Particles below the image are lost. The image alone is mirrored, left to right, where the left half is the
    heavier; the angles of the particle list stay as they were drawn.

    Parameters
    ----------
    theta : (n,)
    fraction, alpha, beta : (2, 10, n)
        of the particles of the leading and the subleading subjet

    Returns
    -------
    (n, 16, 16, 1) float32
        axis 1: the phi-like direction, increasing, the subleading subjet at -theta; axis 2: the eta-like
        direction, increasing ("right" = larger), flipped so that the right half is the heavier
    """
    n = len(theta)
    scale, half = np.float32(PIXELS / (2 * HALF_WIDTH)), PIXELS // 2
    x, y = np.cos(beta), np.sin(beta)
    x *= alpha
    y *= alpha
    y[1] -= theta
    x *= scale
    y *= scale
    inside = fraction * (y >= -half)
    heavier = np.copysign(inside, x).sum(axis=(0, 1))
    x *= np.copysign(np.float32(1), heavier)
    np.maximum(y, -half, out=y)
    pixel = np.floor(y, out=y)
    pixel *= PIXELS
    pixel += np.floor(x, out=x)
    pixel = pixel.astype(np.int64)
    pixel += half * PIXELS + half + PIXELS * PIXELS * np.arange(n)
    images = np.bincount(pixel.ravel(), inside.ravel(), n * PIXELS * PIXELS)
    return images.reshape(n, PIXELS, PIXELS, 1).astype(np.float32)


@dataclass(frozen=True)
class Sample:
    """All that decides what the jets are, but not how many there are."""

    overlap: str = "medium"
    seed: int = 1

    def __post_init__(self):
        if self.overlap not in OVERLAPS:
            raise unknown_name("overlap", self.overlap, OVERLAPS)
        if not 0 <= self.seed < 2**63:
            raise ConfigurationError(f"--seed {self.seed}: must be between 0 and 2^63 - 1")

    @property
    def config(self) -> dict:
        """As plain data, with the version of the code that draws."""
        return {
            "kind": "toy",
            "overlap": self.overlap,
            "seed": self.seed,
            "populations": {name: asdict(population) for name, population in OVERLAPS[self.overlap].items()},
            "split_seed": SPLIT_SEED,
            "split_fractions": list(SPLIT_FRACTIONS),
            "toy_version": VERSION,
        }

    def plan(self, jets: int) -> list[dict]:
        """What the parts of a dataset of so many jets a class will say of themselves."""
        config, parts = self.config, []
        code = digest_json({"settings": config, "xaug": __version__})
        for process, label in LABELS.items():
            for start in range(0, jets, JETS_PER_PART):
                stop = min(start + JETS_PER_PART, jets)
                split = self.ids_and_split(process, start, stop)[1]
                counts = np.bincount(split, minlength=len(SPLITS))
                parts.append(
                    {
                        "part": f"{code}_{process}_{start}_{stop}.h5",
                        "file": "toy model",
                        "start": start,
                        "stop": stop,
                        "process": process,
                        "label": label,
                        "rows": stop - start,
                        "splits": dict(zip(SPLITS, counts.tolist(), strict=True)),
                    }
                )
        return parts

    def ids_and_split(self, process: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Event ids and splits of the jets start to stop of a process."""
        ids = event_ids(digest_json({**self.config, "process": process}), np.arange(start, stop))
        return ids, assign_split(ids, SPLIT_SEED, SPLIT_FRACTIONS)

    def columns(self, part: dict) -> dict[str, np.ndarray]:
        """All columns of a part; the first jets of a part are the same, however many it has."""
        population = OVERLAPS[self.overlap][part["process"]]
        stream = part["label"], part["start"] // JETS_PER_PART
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=stream)))
        jets = part["rows"]
        columns = {}
        table = table_of("toy")
        for block in table.blocks:
            shape = table.block_shape(block, len(table.names(block)))
            columns[block] = np.empty((jets, *shape), np.float32)
        for start in range(0, jets, BATCH):
            for name, values in draw_jets(population, rng, BATCH).items():
                columns[name][start : start + BATCH] = values[: jets - start]
        ids, split = self.ids_and_split(part["process"], part["start"], part["stop"])
        return {
            **columns,
            "label": np.full(jets, part["label"], np.int8),
            "weight": np.ones(jets),
            "event_id": ids,
            "split": split,
        }


def write_parts(task: dict, arrays: dict, report: Callable) -> tuple[dict, dict]:
    """Draw and write some parts (a task of `xaug.core.workers`)."""
    sample = Sample(**task["sample"])
    for part in task["parts"]:
        write_part(Path(task["output"]) / part["part"], sample.columns(part), {}, part, FILTERS)
        report(jets=part["rows"])
    return {}, {}


def generate(
    output: str | os.PathLike, *, jets: int, overlap: str = "medium", seed: int = 1, workers: int | None = None
) -> dict:
    """Make a dataset of toy jets; return its manifest.

    Parameters
    ----------
    jets
        of each class
    overlap
        of the classes, a name in OVERLAPS
    workers
        processes at a time; default: one a core
    """
    if jets < 1:
        raise ConfigurationError(f"--jets {jets}: must be at least 1")
    sample = Sample(overlap, seed)
    output = Path(output).resolve()
    config = {**sample.config, "jets": jets}
    finished = provenance.begin(output, "process", config)  # what it leaves is a dataset, like that of ROOT files
    if finished:
        return finished
    parts = sample.plan(jets)
    missing = [part for part in parts if not (output / part["part"]).exists()]
    at_once = workers or cores()
    shares = [missing[i::at_once] for i in range(at_once) if missing[i::at_once]]
    tasks = [{"output": str(output), "sample": asdict(sample), "parts": share} for share in shares]
    with bar(jets * len(LABELS), "generate toy", "jets") as progress:
        progress.update(jets * len(LABELS) - sum(part["rows"] for part in missing))

        def count(report: dict) -> None:
            progress.update(report["jets"])

        try:
            for _ in run_tasks("xaug.generate.toy:write_parts", tasks, at_once, count, ENVIRONMENT):
                pass
        finally:
            clear_leftovers(output)  # of this run, if a part failed, or of one that was killed before
    return provenance.write(
        output, "process", config,
        digest=digest_json({"settings": config, "parts": [part["part"] for part in parts]}),
        table=table_of("toy").to_json(), jets=dict.fromkeys(LABELS, jets), skips=[], parts=parts,
    )  # fmt: skip
