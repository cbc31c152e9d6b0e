"""Claims about the file with the keys of pseudonyms, and about who uses it."""

from pathlib import Path

import msgspec
import pytest

from agents.attribute_signals import AttributeShell
from agents.lane import Batch, Record
from agents.metrics import Metrics
from agents.normalize_signals import Normalizer
from agents.pseudonyms import pseudonyms_of
from agents.settings import Settings, SettingsError
from schemas.signal import AT_MS_MIN, Heartbeat, Signal
from streams.attribution.matcher import Registry

to_json = msgspec.json.Encoder().encode
PERSON = Signal("t:canary/1", "t", "post", AT_MS_MIN, "canary", source="s", post="canary-1", text="by @canary")


def settings_with(folder: Path, content: str) -> Settings:
    """Return settings that name a file of keys."""
    path = folder / "keys"
    path.write_text(content)
    return Settings(partitions=2, pseudonym_key_file=str(path))


def test_without_a_file_there_are_no_pseudonyms() -> None:
    """They are off unless somebody turns them on."""
    assert pseudonyms_of(Settings()) is None


def test_the_first_key_is_the_one_in_use(tmp_path: Path) -> None:
    """Former ones follow it, a line each."""
    made = pseudonyms_of(settings_with(tmp_path, "2:the key of this year..\n 1:the key of last year..\n"))
    assert made is not None
    assert made.actor("t", "a").startswith("p2.")


@pytest.mark.parametrize(
    "content",
    ["", "canary-secret-without-a-version", "1:canary", "1:\n", "1:canary canary canary\n1:canary canary canary"],
)
def test_a_file_that_is_not_as_expected_is_refused_and_not_told(tmp_path: Path, content: str) -> None:
    """To go on without pseudonyms would let names in, and the message must not let the key out."""
    with pytest.raises(SettingsError) as caught:
        pseudonyms_of(settings_with(tmp_path, content))
    assert "OVERGROWTH_PSEUDONYM_KEY_FILE" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_raw_payloads_become_signals_and_rejections_without_names(tmp_path: Path) -> None:
    """This is the edge: behind it, nobody is known by name; keys of records are made of what is hidden."""
    settings = settings_with(tmp_path, "1:a secret of this test alone")
    normalizer = Normalizer(settings, "native", Metrics(version="0"))
    payloads = [to_json(PERSON), b'{"canary": 1}', b"canary"]
    sent = normalizer.take(0, Batch([Record(number, 1, value) for number, value in enumerate(payloads)], 3))

    assert len(sent) == 3
    assert not [one for one in sent if b"canary" in (one.key or b"") + (one.value or b"")]


def test_signals_that_others_wrote_become_nameless_where_they_are_read(tmp_path: Path) -> None:
    """A producer of `social.signals` may not have the key: nothing after that channel holds the name all the same."""
    settings = settings_with(tmp_path, "1:a secret of this test alone")
    shell = AttributeShell(settings, lambda: Registry(()), 0)
    late = msgspec.structs.replace(PERSON, id="canary-late", tags=("x",))
    end = Heartbeat("s", AT_MS_MIN + 3_600_000, end=True)
    payloads = [to_json(PERSON), b'{"id": "canary"}', to_json(end), to_json(Heartbeat("o", end.at)), to_json(late)]
    sent = shell.take(Batch([Record(number, end.at, value) for number, value in enumerate(payloads)], len(payloads)))

    assert {one.channel.rpartition(".")[2] for one in sent} >= {"attributed", "rejections", "late"}
    assert not [one for one in sent if b"canary" in (one.key or b"") + (one.value or b"")]
