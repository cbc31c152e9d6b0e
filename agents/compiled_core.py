"""Tell whether the pure core was compiled (`make compiled`), and refuse one compiled of other sources than these."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that the packages lie in."""


class StaleError(RuntimeError):
    """Python would take what was compiled rather than the sources that changed since, and nothing else would tell."""


def built(root: Path = ROOT) -> Path | None:
    """Return the library that was compiled of the core, None where Python runs the sources.

    It has the time at which compiling began (Makefile).
    """
    return next(iter(root.glob("streams/compiled__mypyc.*")), None)


def label(root: Path = ROOT) -> str:
    """Return what the version says of it, a local version label (PEP 440); nothing where Python runs the sources."""
    return "+compiled" if built(root) else ""


def require_current(root: Path = ROOT) -> None:
    """Raise StaleError where a source is younger than what was compiled of the core; costs nothing where nothing was.

    Sources of `schemas` are not compiled, but what is compiled may have taken up their constants.
    """
    library = built(root)
    if library is None:
        return
    made_ns = library.stat().st_mtime_ns
    sources = [path for package in ("schemas", "streams") for path in sorted((root / package).rglob("*.py"))]
    changed = [str(path.relative_to(root)) for path in sources if path.stat().st_mtime_ns > made_ns]
    if changed:
        others = f" and {len(changed) - 1} more" if changed[1:] else ""
        raise StaleError(
            f"expected what is compiled to be made of these sources, but {changed[0]}{others} changed since; "
            "run `make compiled` again, or `make interpreted` to run the sources"
        )
