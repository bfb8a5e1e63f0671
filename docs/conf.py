from __future__ import annotations

import inspect
import logging
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

from guided_sr import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "guided-sr"
author = "The guided-sr authors"
project_copyright = "The guided-sr authors"
version = release = __version__

extensions = [
    "preset_pages",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # the pages have their equations without a network
]
exclude_patterns = ["_build"]
default_role = "code"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 72

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_include_init_with_doc = False
napoleon_custom_sections = [
    ("Call arguments", "params_style"),
    "Input shape",
    "Output shape",
    "Reference",
    "Source",
    "Units",
]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",  # written by the build
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": "guided_sr",
    "reference_url": {"guided_sr": None},
    "backreferences_dir": None,
    "capture_repr": (),
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # pages show what is logged

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"guided-sr {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]


def signature_of_init(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    arguments: str | None,
    result: str | None,
) -> tuple[str, None] | None:
    # Keras classes hide their arguments behind __new__(*args, **kwargs).
    if what != "class" or not inspect.isfunction(obj.__init__):
        return None
    shown = signature(obj.__init__, bound_method=True)
    text = stringify_signature(
        shown, show_return_annotation=False, unqualified_typehints=True
    )
    return text, None


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", signature_of_init)
