"""Compile what runs for every signal, where that is asked for: OVERGROWTH_COMPILE=1, as `make compiled` does."""

import os
import tomllib
from pathlib import Path

from setuptools import setup

extensions = []
if os.environ.get("OVERGROWTH_COMPILE"):
    # No dependency of an install that does not ask for it.
    from mypyc.build import mypycify

    compiled = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["overgrowth"]["compiled"]
    paths = [f"streams/{folder}/{name}.py" for folder, names in compiled.items() for name in names]
    # What all share lies in the package, as an editable install finds nothing beside its packages.
    extensions = mypycify(paths, opt_level="2", debug_level="0", multi_file=True, group_name="streams.compiled")
    for extension in extensions:
        extension.include_dirs.append("build/streams")

setup(ext_modules=extensions)
