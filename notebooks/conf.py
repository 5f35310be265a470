"""The documentation as a site: `sphinx-build -c notebooks . site` from the top of the repository."""

from __future__ import annotations

from importlib.metadata import version as version_of

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "xaug"
author = "The xaug developers"
release = version = version_of("xaug")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
]
root_doc = "notebooks/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "models/README.md", "notebooks/**"]
exclude_patterns = ["notebooks/*.py", "notebooks/results", "notebooks/figures", "notebooks/static"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
"""The tests execute the notebooks; the site shows the outputs that are stored in them."""

autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_typehints = "none"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"xaug {version}"
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["site.css"]
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"
html_math_renderer = "mathml"


def visit_math(translator: HTML5Translator, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers show without a script from the network."""
    translator.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the way in which formulas are written."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
