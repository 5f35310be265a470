"""The input variables of the toy model, which are drawn and not computed.

Lengths are in units of the image's side.
"""

from __future__ import annotations

from xaug.data.variables import Variable, register

__all__ = ["IMAGE_PIXELS", "PARTICLES", "TOY_IMAGE", "TOY_LIST", "TOY_XAUGS"]

KIND = "toy"
"""Kind of dataset that these variables are of."""
PARTICLES = 10
"""Particles of each subjet: always ten, so that there is no padding."""
IMAGE_PIXELS = (16, 16)
XAUG_LRP = "arXiv:2011.13466"


def _toy(name: str, label: str, unit: str, group: str) -> Variable:
    return Variable(name, label, unit, group, f"{XAUG_LRP} sec. 3")


TOY_XAUGS = (
    _toy("theta", r"$\theta$", "", "kinematic"),
    _toy("z", r"$z$", "", "kinematic"),
    _toy("r1", r"$r_1$", "", "substructure"),
    _toy("r2", r"$r_2$", "", "substructure"),
)
"""Everything that distinguishes toy jets."""

TOY_LIST = (
    _toy("z1", r"$z_1$", "", "list"),
    _toy("z2", r"$z_2$", "", "list"),
    _toy("delta_alpha1", r"$\delta\alpha_1$", "", "list"),
    _toy("delta_alpha2", r"$\delta\alpha_2$", "", "list"),
    _toy("delta_beta1", r"$\delta\beta_1$", "rad", "list"),
    _toy("delta_beta2", r"$\delta\beta_2$", "rad", "list"),
)
"""Columns of the particle list: one for each subjet."""

TOY_IMAGE = (_toy("image", r"$p_T/p_T^\mathrm{jet}$", "", "image"),)

register(KIND, "image", TOY_IMAGE, shape=IMAGE_PIXELS)
register(KIND, "list", TOY_LIST, shape=(PARTICLES,))
register(KIND, "xaug", TOY_XAUGS)
