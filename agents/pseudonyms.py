"""Read the keys of pseudonyms from their file, where pseudonyms are on."""

import re

from agents.access import read_secret
from agents.settings import PREFIX, Settings, SettingsError
from streams.pseudonyms import PseudonymKeyError, Pseudonyms

_SETTING = "pseudonym_key_file"
_LINE = re.compile(rb"([0-9]{1,3}):(.+)")


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """Return what makes pseudonyms, None where they are off; raises `SettingsError`.

    Each line of the file is `<version>:<secret>`, the key in use first, former ones after it. A file that is not as
    expected is refused: to go on without would let names in.
    """
    if not settings.pseudonym_key_file:
        return None
    keys: dict[int, bytes] = {}
    for number, line in enumerate(read_secret(_SETTING, settings.pseudonym_key_file).splitlines(), start=1):
        found = _LINE.fullmatch(line.strip())
        if found is None or int(found[1]) in keys:
            raise _refusal(settings, f"line {number}: expected <version>:<secret>, each version once, got another")
        keys[int(found[1])] = found[2].strip()
    try:
        return Pseudonyms(keys)
    except PseudonymKeyError as error:
        raise _refusal(settings, str(error)) from None


def _refusal(settings: Settings, reason: str) -> SettingsError:
    where = f"{PREFIX}{_SETTING.upper()}, {settings.pseudonym_key_file}"
    return SettingsError(
        f'settings: {where}: {reason}; write one by: echo "1:$(openssl rand -hex 32)" > {settings.pseudonym_key_file}'
    )
