"""Toys whose likelihood ratio is known in closed form: it is known which variables carry information, and how much.

| toy | signal against background |
| --- | --- |
| paper | theta and z of the toy model of arXiv:2011.13466, overlap "medium"; its radii r1 and r2 say nothing |
| copies | a variable of which there are several noisy copies, and one that is alone |
| xor | two variables, neither of which says anything alone: signal has equal signs, background opposite ones |
| three | three classes at the corners of a triangle in two variables, the third also shifted in one more |

All but the first have variables that say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array
from xaug.generate.toy_model import MAX_THETA, OVERLAPS, RADII, Exponential, Normal

__all__ = ["TRUTH_TOYS", "TruthToy", "truth_toy"]

NOISE = ("n1", "n2", "n3")
"""Variables that say nothing, in the toys other than that of the paper."""
COPIES = 3
"""Noisy copies of a variable, unless the user asks for another number."""
COPY_NOISE = 0.5
"""Standard deviation of the noise of a copy; that of the variable itself is 1."""
XOR_WIDTH = 0.6
"""Standard deviation of the four clusters of the toy xor, which are at (±1, ±1)."""
CORNERS = ((0.0, 0.0), (1.5, 0.0), (0.75, 1.3))
"""Centres of the three classes in the first two variables."""
SHIFTS = (0.0, 0.0, 1.5)
"""Centres of the three classes in the third variable."""
IMAGES = 8
"""Periods of a wrapped normal distribution that are added on each side."""


@dataclass(frozen=True)
class TruthToy:
    """A toy with a closed-form likelihood.

    Attributes
    ----------
    name, words : str
        its name, and a line that describes it
    columns : tuple of str
        its variables
    informative : tuple of str
        those of them that carry information, alone or with others
    classes : tuple of str
        names of the classes
    draw : callable
        (generator, label (n,)) -> values (n, columns)
    log_density : callable
        values (n, columns) -> ln p(x | class) (n, classes), up to a term that all classes share
    """

    name: str
    words: str
    columns: tuple[str, ...]
    informative: tuple[str, ...]
    classes: tuple[str, ...]
    draw: Callable[[np.random.Generator, Array], Array]
    log_density: Callable[[Array], Array]

    def sample(self, events: int, seed: int) -> tuple[Array, Array]:
        """Draw events.

        Parameters
        ----------
        events : int
            number of events of each class
        seed : int

        Returns
        -------
        values (n, columns), label (n,)
        """
        if events < 1:
            raise ConfigurationError(f"{events} events of each class: at least one is needed")
        rng = np.random.default_rng([seed, len(self.columns)])
        label = rng.permutation(np.repeat(np.arange(len(self.classes)), events))
        return self.draw(rng, label), label

    def log_odds(self, values: Array, target: int | None = None) -> Array:
        """The optimal answer (n,): ln p(target) / p(all others) of events of equally frequent classes.

        Parameters
        ----------
        values : (n, columns) array
        target : int, optional
            the class; default: the last one
        """
        density = self.log_density(values)
        which = density.shape[1] - 1 if target is None else target
        others = np.delete(density, which, axis=1)
        odds: Array = density[:, which] - np.logaddexp.reduce(others, axis=1)
        return odds


TRUTH_TOYS: dict[str, Callable[[int], TruthToy]] = {}
"""Makers of the toys by name; each takes the number of copies of redundant variables, which only `copies` has."""


def _register(make: Callable[[int], TruthToy]) -> Callable[[int], TruthToy]:
    TRUTH_TOYS[make(COPIES).name] = make
    return make


def truth_toy(name: str, copies: int = COPIES) -> TruthToy:
    """The toy of a name.

    Parameters
    ----------
    name : str
        one of `TRUTH_TOYS`
    copies : int
        noisy copies of the redundant variable of the toy `copies`

    Raises
    ------
    ConfigurationError
        if there is no such toy, or no copy
    """
    if name not in TRUTH_TOYS:
        raise unknown_name("toy", name, TRUTH_TOYS)
    if copies < 1:
        raise ConfigurationError(f"{copies} copies: at least one is needed")
    return TRUTH_TOYS[name](copies)


@_register
def _paper(copies: int) -> TruthToy:
    """The expert variables of the toy model of arXiv:2011.13466, section 3."""
    of_label = [OVERLAPS["medium"][name] for name in ("background", "signal")]

    def draw(rng: np.random.Generator, label: Array) -> Array:
        found = np.empty((len(label), 4))
        for which, population in enumerate(of_label):
            own = label == which
            n = int(own.sum())
            z = np.mod(population.z.draw(rng, n), 1.0)
            found[own, 0] = np.mod(population.theta.draw(rng, n), MAX_THETA)
            found[own, 1] = np.maximum(z, 1 - z)
            found[own, 2:] = rng.uniform(*RADII, (n, 2))
        return found

    def log_density(values: Array) -> Array:
        theta, z = values[:, 0], values[:, 1]
        found = []
        for population in of_label:
            folded = _wrapped(population.z, z, 1.0) + _wrapped(population.z, 1 - z, 1.0)
            found.append(np.log(_wrapped(population.theta, theta, MAX_THETA)) + np.log(folded))
        return np.stack(found, axis=1)

    names = ("theta", "z", "r1", "r2")
    words = "the expert variables of the toy model"
    return TruthToy("paper", words, names, names[:2], ("background", "signal"), draw, log_density)


def _wrapped(distribution: Normal | Exponential, values: Array, period: float) -> Array:
    """Density (n,) of a distribution that is wrapped below its period."""
    if isinstance(distribution, Exponential):
        scale = distribution.scale
        found: Array = np.exp(-values / scale) / (scale * -np.expm1(-period / scale))
        return found
    shifts = period * np.arange(-IMAGES, IMAGES + 1)
    pull = (values[:, None] + shifts - distribution.mean) / distribution.sigma
    density: Array = np.exp(-0.5 * pull**2).sum(axis=1) / (np.sqrt(2 * np.pi) * distribution.sigma)
    return np.maximum(density, np.finfo(float).tiny)


@_register
def _copies(copies: int) -> TruthToy:
    """A hidden normal variable of mean 0 or 1, seen in noisy copies, and a visible one of mean 0 or 0.7."""
    alone = 0.7

    def draw(rng: np.random.Generator, label: Array) -> Array:
        n = len(label)
        hidden = rng.normal(label)[:, None] + COPY_NOISE * rng.normal(size=(n, copies))
        return np.concatenate([hidden, rng.normal(alone * label)[:, None], rng.normal(size=(n, len(NOISE)))], axis=1)

    def log_density(values: Array) -> Array:
        # the mean of the copies is sufficient: normal of variance 1 + COPY_NOISE^2 / copies about the class mean
        mean, variance = values[:, :copies].mean(axis=1), 1 + COPY_NOISE**2 / copies
        other = values[:, copies]
        each = [-0.5 * (mean - k) ** 2 / variance - 0.5 * (other - alone * k) ** 2 for k in (0, 1)]
        return np.stack(each, axis=1)

    seen = tuple(f"copy{i + 1}" for i in range(copies))
    words = f"{copies} noisy copies of one variable, and one that is alone"
    return TruthToy(
        "copies", words, (*seen, "alone", *NOISE), (*seen, "alone"), ("background", "signal"), draw, log_density
    )  # fmt: skip


@_register
def _xor(copies: int) -> TruthToy:
    """Four clusters at (±1, ±1): those of equal signs are signal."""

    def draw(rng: np.random.Generator, label: Array) -> Array:
        n = len(label)
        x = rng.choice([-1.0, 1.0], n)
        y = np.where(label == 1, x, -x)
        pair = np.stack([x, y], axis=1) + XOR_WIDTH * rng.normal(size=(n, 2))
        return np.concatenate([pair, rng.normal(size=(n, len(NOISE)))], axis=1)

    def log_density(values: Array) -> Array:
        x, y = values[:, 0] / XOR_WIDTH**2, values[:, 1] / XOR_WIDTH**2
        # sums of two clusters at opposite places: 2 cosh, up to a factor that both classes share
        return np.stack([np.logaddexp(x - y, y - x), np.logaddexp(x + y, -x - y)], axis=1)

    words = "two variables, of which only the product of their signs says anything"
    return TruthToy("xor", words, ("x", "y", *NOISE), ("x", "y"), ("background", "signal"), draw, log_density)


@_register
def _three(copies: int) -> TruthToy:
    """Three classes with unit normal distributions about the corners of a triangle; the third is shifted in c, too."""

    def draw(rng: np.random.Generator, label: Array) -> Array:
        first, third = rng.normal(np.array(CORNERS)[label]), rng.normal(np.array(SHIFTS)[label])
        return np.concatenate([first, third[:, None], rng.normal(size=(len(label), len(NOISE)))], axis=1)

    def log_density(values: Array) -> Array:
        centre = np.column_stack([CORNERS, SHIFTS])
        density: Array = -0.5 * ((values[:, None, :3] - centre) ** 2).sum(axis=2)
        return density

    words = "three classes, the third of which differs in one more variable"
    return TruthToy(
        "three", words, ("a", "b", "c", *NOISE), ("a", "b", "c"), ("one", "two", "three"), draw, log_density
    )
