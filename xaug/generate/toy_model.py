"""Draw jets of the toy model: two subjets of ten particles, drawn from a few distributions.

A jet is described by the separation `theta` of its subjets, the momentum fraction `z` of the leading one, their radii
`r1` and `r2`, and its particles, which have shares of z and 1 - z, and polar coordinates about the axis of their
subjet. Signal and background differ only in theta and z, so that the four expert variables contain all information.

Lengths are in units of the side of the image. The leading axis is at the centre of the image, and the subleading one
is at distance theta below it; the image is not rescaled to theta.

References
----------
G. Agarwal et al., arXiv:2011.13466, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.generate.toy_table import IMAGE_PIXELS, PARTICLES, TOY_LIST

__all__ = ["HALF_WIDTH", "OVERLAPS", "Exponential", "Normal", "Population", "draw_jets", "make_images"]

MAX_THETA = 0.5
"""Upper end of theta, below which it is wrapped, so that the subleading axis is inside the image."""
RADII = (0.25, 0.5)
"""Least and largest radius of a subjet."""
ALPHA_SCALE = 0.5
"""Scale of the exponential distance of particles from their axis, before it is wrapped below the radius."""
PIXELS = IMAGE_PIXELS[0]
HALF_WIDTH = 0.5
"""The image spans [-0.5, 0.5] in both directions: one unit, with the leading axis at (0, 0)."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution."""

    mean: float
    sigma: float

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n values, float64."""
        return rng.normal(self.mean, self.sigma, n)


@dataclass(frozen=True)
class Exponential:
    """An exponential distribution, exp(-x / scale) / scale."""

    scale: float

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n values, float64."""
        return rng.exponential(self.scale, n)


@dataclass(frozen=True)
class Population:
    """Distributions of theta and z of a class, before they are wrapped."""

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
"""Populations by the overlap of the classes.

"medium" has the parameters of figures 3 and 13 to 15 of the paper. "table1" has those of table 1 of the paper as it
is printed: the rows of theta and z are exchanged, and 0.1 is printed as 0.01.
"""


def draw_jets(population: Population, rng: np.random.Generator, n: int) -> Arrays:
    """Draw n jets of a population.

    Returns
    -------
    dict of float32 arrays
        "xaug" (n, 4): theta in [0, 0.5], z in [0.5, 1], r1, r2 in [0.25, 0.5];
        "list" (n, 10, 6): momentum fractions z1, z2, descending, which add up to z and 1 - z; distances
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
    low, high = (np.float32(r) for r in RADII)
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


def _momentum_fractions(rng: np.random.Generator, n: int) -> Array:
    """Draw exponentials (2, 10, n) that descend and sum to 1 in each subjet, float32.

    They are drawn in order instead of being sorted: the k-th largest of m exponentials is distributed like the sum of
    E_j / j over j = k..m with independent exponentials E_j, and the sum of all is the sum of E_j.

    References
    ----------
    A. Renyi, Acta Math. Acad. Sci. Hung. 4 (1953) 191.
    """
    share = rng.standard_exponential((2, PARTICLES, n), np.float32)
    total = share.sum(axis=1, keepdims=True)
    share /= np.arange(1, PARTICLES + 1, dtype=np.float32)[:, None]
    for k in reversed(range(PARTICLES - 1)):
        share[:, k] += share[:, k + 1]
    share /= total
    return share


def _polar_coordinates(rng: np.random.Generator, radius: Array) -> tuple[Array, Array]:
    """Draw distances below the radius (2, n) and angles of the particles of each subjet, (2, 10, n) float32 each.

    An exponential that is wrapped below r has the same distribution as one that is cut off at r. It is drawn by
    inverting the distribution function (1 - exp(-x / s)) / (1 - exp(-r / s)).
    """
    alpha, beta = rng.random((2, 2, PARTICLES, radius.shape[1]), np.float32)
    scale = np.float32(ALPHA_SCALE)
    alpha *= np.expm1(-radius / scale)[:, None]
    alpha += 1
    np.log(alpha, out=alpha)
    alpha *= -scale
    # strictly below the radius, whatever the rounding: a distance of 0.5 would be outside the image
    np.clip(alpha, 0, np.nextafter(radius, np.float32(0))[:, None], out=alpha)
    beta *= np.nextafter(np.float32(2 * np.pi), np.float32(0))
    return alpha, beta


def make_images(theta: Array, fraction: Array, alpha: Array, beta: Array) -> Array:
    """Make images of jets, with intensities in units of the jet momentum.

    Particles below the image are lost. Images whose left half is the heavier one are mirrored; the angles of the
    particle list stay as they were drawn.

    Parameters
    ----------
    theta : (n,)
        distances of the subjets
    fraction, alpha, beta : (2, 10, n)
        momentum fractions and polar coordinates of the particles of the leading and the subleading subjet

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
