"""The documentation as a site: `sphinx-build -c notebooks . site` from the top of the repository."""

from __future__ import annotations

from importlib.metadata import version as version_of

import click
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from xaug.__main__ import main
from xaug.core.command import OrderedCommand

project = "xaug"
author = copyright = "The xaug developers"
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
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
"""No page fetches scripts from the network."""

autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_typehints = "none"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

smartquotes = False
"""Options begin with two hyphens, also in the text of a help."""
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


def order_options(command: click.Command) -> None:
    """Put the options of a command in the order of its help; click and so sphinx_click have them reversed."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            order_options(below)
    elif isinstance(command, OrderedCommand):
        shown = [one for one in command.get_params(context) if one is not command.get_help_option(context)]
        command.shared = command.params = shown


def setup(app: Sphinx) -> None:
    """Register the way in which formulas are written, and put the options of commands in order."""
    order_options(main)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
