"""Read the secret of a connector from a file or the environment; a flag would be seen by others on the machine."""

from collections.abc import Mapping
from pathlib import Path

from agents.connectors.errors import ConnectorError


def read_token(path: str | None, variable: str, environment: Mapping[str, str]) -> str | None:
    """Return the token of a file, else of a variable, else None; raises `ConnectorError`.

    >>> read_token(None, "OVERGROWTH_INTAKE_TOKEN", {"OVERGROWTH_INTAKE_TOKEN": "s3cret"})
    's3cret'
    """
    if path is None:
        token, where = environment.get(variable), variable
        if token is None:
            return None
    else:
        where = path
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConnectorError(f"token: expected a file with one, got {path}: {error}") from None
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConnectorError(f"token: expected one word in {where}, got {'nothing' if not token else 'something else'}")
    return token
