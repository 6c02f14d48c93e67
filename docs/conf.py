"""How the documentation is built: Markdown by hand, the reference from docstrings, warnings are errors (`make docs`)."""

from drupe.version import __version__

project = "drupe"
author = "The drupe authors"
project_copyright = "2026, The drupe authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "substitution"]
myst_heading_anchors = 3

# the reference: what is public, in the order of the source, with types where the docstring explains the argument
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# the page
html_theme = "furo"
html_title = f"drupe {release}"
html_show_sourcelink = False
