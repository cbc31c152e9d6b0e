"""Tell the version of the installed package, and whether its core is compiled."""

from importlib.metadata import version

from agents.compiled_core import label

VERSION = version("overgrowth") + label()
"""As in metrics and of `overgrowth --version`."""
