"""Shape of what tables remember of actors who were erased: that they were, and never who they are.

Rows of `streams.attribution.erased`; their version lies in the envelope (`schemas.rows`), a hash of who it is in the
key.
"""

import msgspec


class ErasedActorRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An actor was erased at `at_ms`, most recently."""

    at_ms: int
