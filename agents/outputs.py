"""Write files that appear under their names only when they are whole."""

import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import click

STDOUT = "-"


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """Give a file to write that appears under its name only when it is whole; gzipped where the name ends in .gz.

    `-` is standard output. Raises ClickException where nothing can be written.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        return
    # What is no ordinary file (a pipe, a device) cannot be replaced, only written to.
    is_ordinary = not os.path.exists(path) or os.path.isfile(path)
    draft = f"{path}.part" if is_ordinary else path
    try:
        with open(draft, "wb") as file:
            if path.endswith(".gz"):
                # No name and no time of day in it: the same season gives the same bytes.
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    buffered = io.BufferedWriter(packed)
                    yield buffered
                    buffered.flush()
            else:
                yield file
        if is_ordinary:
            os.replace(draft, path)
    except OSError as error:
        got = error.strerror or str(error)
        raise click.ClickException(f"{path}: expected a file that can be written, got: {got}; check the path") from None
    finally:
        if is_ordinary:
            with suppress(OSError):
                os.unlink(draft)
