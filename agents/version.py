"""Tell the version of the installed package, and whether its core is compiled."""

from importlib.metadata import version

from agents.compiled_core import built

VERSION = version("overgrowth") + ("+compiled" if built() else "")
"""As in metrics and of `overgrowth --version`; `+compiled` is a local version label (PEP 440)."""
