"""Jet images: 16 x 16 pixels of pT in the frame of the two subjets (arXiv:2011.13466, section 4.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from xaug.core.types import Array
from xaug.formats.momenta import delta_phi
from xaug.jets.jets import Jets

__all__ = ["HALF_WIDTH", "PIXELS", "image_coordinates", "make_images"]

PIXELS = 16
HALF_WIDTH = 2.0
"""The image spans [-2, 2] in both directions, in units of the distance of the subjets."""
_SNAP = 9
"""Decimals (in pixels) to which coordinates are rounded before binning: a subjet of one particle lies exactly on the
edge of a pixel, and rounding errors must not decide on its side."""


def image_coordinates(jets: Jets) -> tuple[Array, Array]:
    """Coordinates (x, y) of all constituents in the frame of the subjets, each (m,), before the flip.

    The leading subjet is at (0, 0) and the subleading one at (0, -1), after a rotation in (rapidity, phi) and a
    division by their distance.
    """
    if jets.conventions.rotate_in_space:
        return rotated_in_space(jets)
    jet_index, particles = jets.jet_index, jets.constituents
    along = np.stack(
        [
            jets.subjet_rapidity[:, 1] - jets.subjet_rapidity[:, 0],
            delta_phi(jets.subjet_phi[:, 1], jets.subjet_phi[:, 0]),
        ]
    )
    square = (along**2).sum(axis=0)
    along[:, square == 0] = np.array([[0.0], [-1.0]])  # a jet of one subjet is not turned, nor divided
    up = -along / np.where(square > 0, square, 1.0)  # unit vector away from the subleading subjet, over the distance
    dy = particles["rapidity"] - jets.subjet_rapidity[jet_index, 0]
    dphi = delta_phi(particles["phi"], jets.subjet_phi[jet_index, 0])
    x = dy * up[1, jet_index] - dphi * up[0, jet_index]
    y = dy * up[0, jet_index] + dphi * up[1, jet_index]
    return x, y


def rotated_in_space(jets: Jets) -> tuple[Array, Array]:
    """Coordinates (x, y) of all constituents after a rotation of momenta in three dimensions, each (m,).

    The leading subjet is turned to (eta, phi) = (0, 0), and the subleading one to a place below it in phi. Then
    pseudorapidity and azimuth of all constituents are divided by the original distance of the subjets in
    (eta, phi). A rotation keeps angles in space, not in (eta, phi): for small angles the subleading subjet
    comes to (0, -1/cosh(eta)) instead of (0, -1), where eta is that of the leading one.
    """
    import vector  # figures of finished datasets need this module, but not this package

    eta, phi = jets.subjet_eta, jets.subjet_phi
    jet_index = jets.jet_index

    def forward(eta_of: Array, phi_of: Array, jet: Array) -> Any:
        """Turn directions so that the leading subjet of their jet is on the x axis."""
        directions = vector.arr({"rho": np.ones(len(jet)), "phi": phi_of - phi[jet, 0], "eta": eta_of})
        return directions.rotateY(np.arctan(np.sinh(eta[jet, 0])))

    other = forward(eta[:, 1], phi[:, 1], np.arange(len(jets)))
    turn = np.pi - np.arctan2(other.z, other.y)
    turned = forward(jets.constituents["eta"], jets.constituents["phi"], jet_index).rotateX(turn[jet_index])
    distance = np.hypot(eta[:, 1] - eta[:, 0], delta_phi(phi[:, 1], phi[:, 0]))[jet_index]
    return turned.eta / distance, turned.phi / distance


def make_images(jets: Jets) -> Array:
    """Make images of jets, with intensities in units of the jet pT.

    Returns
    -------
    (n_jets, 16, 16, 1) float32
        axis 1: the phi-like direction, increasing, the subleading subjet at -1; axis 2: the eta-like
        direction, increasing ("right" = larger), flipped so that the right half is the heavier

    References
    ----------
    arXiv:2011.13466, section 4.4; J. Cogan et al., Jet-images, JHEP 02 (2015) 118.
    """
    n, jet_index = len(jets), jets.jet_index
    x, y = (np.round(c * (PIXELS / (2 * HALF_WIDTH)), _SNAP) for c in image_coordinates(jets))
    fraction = jets.constituents["pt"] / jets.pt[jet_index]
    half = PIXELS // 2
    inside = (np.abs(x) < half) & (y >= -half) & (y < half)  # open in x, so that the flip loses nothing
    x, y, jet_index, fraction = x[inside], y[inside], jet_index[inside], fraction[inside]
    heavier = np.bincount(jet_index, np.sign(x) * fraction, n)
    x = np.where(heavier[jet_index] < 0, -x, x)
    column, row = np.floor(x).astype(int) + half, np.floor(y).astype(int) + half
    pixel = (jet_index * PIXELS + row) * PIXELS + column
    images = np.bincount(pixel, fraction, n * PIXELS * PIXELS)
    return images.reshape(n, PIXELS, PIXELS, 1).astype(np.float32)
