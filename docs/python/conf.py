"""Settings of Sphinx for the pages of the Python package; `tools/docs site python` builds them."""

from fitgenerator import __version__

project = "fitgenerator"
author = "fitgenerator authors"
project_copyright = "fitgenerator authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Docstrings are in Google's style, with Markdown's single backticks for code.
default_role = "py:obj"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
add_module_names = False
maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"fitgenerator {version} for Python"
html_static_path = ["static"]
html_css_files = ["page.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}
pygments_style = "friendly"
