"""`edge-ttsd prerender` with the shipped voice: what it keeps is what the daemon finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from engine_cache import PLAIN

from edge_tts.cli import prerender
from edge_tts.cli.main import main
from edge_tts.config import load_config
from edge_tts.model_sets.loading import open_lexicon, open_model
from edge_tts.request import SpeakRequest
from edge_tts.speaking.phrase_cache import open_phrase_cache
from edge_tts.voices.local_voices import open_voices

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A device with the shipped model set and a phrase cache."""
    path = tmp_path / "config.yaml"
    settings = {"models": {"dir": str(ROOT / "models"), "verify": False}, "cache": {"max_mb": 10}}
    path.write_text(yaml.safe_dump(settings | {"engine": PLAIN}))
    return str(path)


def phrases(tmp_path: Path, *lines: str) -> str:
    """A file of texts."""
    path = tmp_path / "phrases.txt"
    path.write_text("\n".join(lines))
    return str(path)


def test_a_text_is_kept_once(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare lines and JSON objects are rendered in the voice that speaks by default or the named one, comments are not;
    the daemon's cache has them, and a second run loads no network."""
    file = phrases(tmp_path, "# alarms", "", "Fire!", '{"text": "Water.", "voice": "oscar", "volume": 30}')
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "settings.json").write_text('{"volume": null, "voice": "irene"}')
    assert main(["prerender", "-c", config, file]) == 0
    assert [line[:12].strip() for line in capsys.readouterr().out.splitlines()] == ["kept", "kept"]
    loaded = load_config(Path(config))
    model = open_model(loaded)
    catalogue = open_voices(loaded, model).catalogue
    cache = open_phrase_cache(loaded, model, lexicon=open_lexicon(loaded).lexicon, voices=catalogue.existing)
    assert cache is not None
    for text, voice in (("Fire!", "irene"), ("Water.", "oscar")):
        request = SpeakRequest(text=text, id="a", voice=voice)
        chunks = list(cache.speak(request, catalogue.load(voice), lambda: iter(())))
        assert chunks[-1].cached
        assert np.abs(np.concatenate([chunk.samples for chunk in chunks])).max() > 0.1
    monkeypatch.setattr(prerender, "open_networks", None)
    assert main(["prerender", "-c", config, file]) == 0
    assert [line[:12].strip() for line in capsys.readouterr().out.splitlines()] == ["kept before", "kept before"]


def test_a_bad_line_costs_itself(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is named with its number and why, the others are kept, and the status says that something is missing."""
    lines = ["...", '{"text": "x", "voice": "nobody"}', '{"text": "x", "cache": false}', '{"txt": 1}', "Fire!"]
    assert main(["prerender", "-c", config, phrases(tmp_path, *lines)]) == 1
    shown = capsys.readouterr()
    assert shown.out.split() == ["kept", "Fire!"]
    errors = shown.err.splitlines()
    for number, words in enumerate(["nothing in the text", "no voice 'nobody'", "`cache` is false", "txt"], 1):
        (line,) = [line for line in errors if f"phrases.txt:{number}: " in line]
        assert words in line


def test_what_finds_no_room_is_told(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that push each other out are counted, with the key to raise."""
    monkeypatch.setattr(prerender, "open_phrase_cache", _small)
    assert main(["prerender", "-c", config, phrases(tmp_path, "One.", "Two.", "Three.")]) == 1
    assert "raise cache.max_mb" in capsys.readouterr().err


def _small(*arguments: object, **keys: object) -> object:
    """A cache with room for one short phrase."""
    cache = open_phrase_cache(*arguments, **keys)  # type: ignore[arg-type]
    assert cache is not None
    cache._max_bytes = 100_000
    return cache


@pytest.mark.parametrize(
    ("settings", "told"), [({}, "cache.max_mb is 0"), ({"cache": {"max_mb": 1}}, "cannot be read")]
)
def test_what_cannot_work_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, object], told: str
) -> None:
    """Without a cache, or a file, nothing is rendered and the error says what would be right."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": {"dir": str(ROOT / "models"), "verify": False}, **settings}))
    file = phrases(tmp_path, "Fire!") if not settings else str(tmp_path / "nothing.txt")
    assert main(["prerender", "-c", str(path), file]) == 1
    assert told in capsys.readouterr().err
