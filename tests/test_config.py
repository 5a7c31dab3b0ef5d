"""config.yaml: every key, its default, and errors that name the key."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from edge_tts.config import Config, config_from, find_config, load_config
from edge_tts.errors import ConfigError
from edge_tts.schema import check

SHIPPED = Path(__file__).resolve().parent.parent / "config.yaml"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of the configuration, dotted."""
    found = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        found |= keys(kind, f"{prefix}{name}.") if inner else {prefix + name}
    return found


def flat(tree: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in tree.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name}
    return found


def test_the_shipped_file_lists_every_key_with_its_default() -> None:
    """config.yaml has every key, with its default."""
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert flat(raw) == keys(Config)
    assert Config.model_validate(raw) == Config()


def test_an_installed_device_keeps_its_data_apart() -> None:
    """With the shipped file nothing is written to /etc/edge-tts; explicit paths hold."""
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {"bucket": {"url": "/mnt/stick/voices"}}
    raw["mqtt"]["ca_file"] = "ca.pem"
    config, data = config_from(raw, folder=Path("/etc/edge-tts")), Path("/var/lib/edge-tts")
    assert (config.state_dir, config.models.dir) == (data, data / "models")
    assert (config.voices.dir, config.engine.cache_dir) == (data / "voices", data / "engines")
    assert (config.bucket.url, config.mqtt.ca_file) == ("/mnt/stick/voices", Path("/etc/edge-tts/ca.pem"))
    assert config_from({}, folder=Path("/etc/edge-tts")).bucket.url == str(data / "bucket")
    assert config_from({}, folder=Path("/home/anna")).voices.dir == Path("/home/anna/.state/voices")
    assert Config().voices.dir == Path.cwd() / ".state" / "voices"


def test_every_shipped_key_is_commented() -> None:
    """Each key of config.yaml, or its group, has a comment above it."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    for above, line in pairwise(lines):
        if line.strip() and not line.lstrip().startswith("#") and not line.endswith(":"):
            assert above.strip(), f"no comment above: {line}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("devise: x", "unknown key 'devise', did you mean 'device'?"),
        ("mqtt: {prot: 1}", "unknown key 'mqtt.prot', did you mean 'p"),
        ("mqtt: {port: 0}", "key 'mqtt.port'"),
        ("mqtt: {port: '1883'}", "key 'mqtt.port'"),
        ("mqtt: {protocol: 5}", "key 'mqtt.protocol'"),
        ("mqtt: {base_topic: '$SYS/x'}", "key 'mqtt.base_topic'"),
        ("mqtt: {base_topic: 'a/#'}", "key 'mqtt.base_topic'"),
        ("device: 'living room'", "key 'device'"),
        ("audio: {volume: .nan}", "key 'audio.volume'"),
        ("audio: 5", "key 'audio'"),
        ("bucket: {owners: [Anna]}", "key 'bucket.owners.0'"),
        ("bucket: {owners: [anna, '']}", "key 'bucket.owners.1'"),
        ("bucket: {owners: [' anna']}", "key 'bucket.owners.0'"),
        ("bucket: {owners: ['../b']}", "key 'bucket.owners.0'"),
        ("bucket: {owners: []}", "key 'bucket.owners'"),
        ("state_dir: 5", "key 'state_dir'"),
        ("models: {dir: [a]}", "key 'models.dir'"),
        ('models: {dir: "a\\0b"}', "key 'models.dir'"),
        ("state_dir: ~nobody-has-this-name/x", "key 'state_dir': Value error, leads nowhere"),
        ("- a list", "valid dictionary"),
        ("a: b: c", "as YAML: line 1"),
        ("mqtt: {port: 1:2:3}", "key 'mqtt.port'"),
        ("mqtt: {port: 01883}", "key 'mqtt.port'"),
        ("mqtt: {port: 1_883}", "key 'mqtt.port'"),
        ("audio: {volume: 1:20.5}", "key 'audio.volume'"),
        ("audio: {volume: 1.0e+999}", "key 'audio.volume'"),
        ("log: {level: 2024-99-99}", "key 'log.level'"),
        ("5: x", "unknown key '5'"),
        ("true: x", "unknown key 'true'"),
        ("device: a\nmqtt: {tls: true}\ndevice: b", "line 3: the key 'device' is given twice"),
        ("mqtt: {host: a, 'host': b}", "line 1: the key 'host' is given twice"),
        ("? [a, b]\n: c", "line 1: a list or mapping stands where a key belongs"),
        ("a: " + "[" * 900 + "]" * 900, "line 1: nested deeper than any key"),
        ("[" * 100_000, "line 1: nested deeper than any key"),
        ("x: &x [1]\ny: [*x, *x]", "line 2: an alias (*name) is not supported"),
        ("&a [*a]", "line 1: an alias"),
        ("device: !!timestamp x", "line 1: a tag (!...) is not supported"),
        ("mqtt: {port: !!int abc}", "line 1: a tag"),
        ("device: home\nvoice: a\0b", "line 2: the character U+0000"),
        ('mqtt: {host: "a\\0b"}', "key 'mqtt.host': "),
        ('mqtt: {username: "\\ud800"}', "key 'mqtt.username': "),
        ('text: {refuse: ["a\\0b"]}', "key 'text.refuse': Value error, holds the character U+0000"),
        ('text: {lexicon: {en: {"\\ud800": a}}}', "key 'text.lexicon': Value error, holds the character U+D800"),
        ("mqtt: {host: ''}", "key 'mqtt.host'"),
        ("results: {place: bucket}", "key 'bucket': Value error, has no url s3://"),
        ("results: {place: bucket}\nbucket: {url: null}", "or set results.place to disk"),
        ("models: {dir: " + "a" * 300 + "}", "key 'models.dir': Value error, is too long for a path"),
        ("# " + "x" * 300_000, "more than 256 KiB"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """The message names the file and the key, and for a mistyped key the nearest one."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"), ("latin-1", "line 2: not UTF-8")]
)
def test_another_encoding_is_named(tmp_path: Path, encoding: str, named: str) -> None:
    """A file that is not UTF-8 is refused with what to do, and a byte order mark before UTF-8 is read over."""
    (tmp_path / "config.yaml").write_bytes("device: home\nvoice: Zoë".encode(encoding))
    with pytest.raises(ConfigError, match=rf"{named}.* as UTF-8"):
        load_config(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_bytes("\ufeffdevice: kitchen\nvoice: Zoë".encode())
    assert (load_config(tmp_path / "config.yaml").device, load_config(tmp_path / "config.yaml").voice) == (
        "kitchen",
        "Zoë",
    )


def test_a_key_and_a_date_are_the_text_that_stands_there(tmp_path: Path) -> None:
    """Words that YAML takes for numbers, dates and truth values are text as keys, and a date is as a value too."""
    config = load_config(
        write(tmp_path, "voice: 2024-01-01\ntext: {lexicon: {en: {no: noh, 1984: x, 1:20: y, on: z}}}")
    )
    assert config.voice == "2024-01-01"
    assert config.text.lexicon["en"] == {"no": "noh", "1984": "x", "1:20": "y", "on": "z"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.text("-[]{}:,&*!|>'\"%@`?#\n a1.~<=", max_size=60).map(str.encode))
def test_no_bytes_cause_a_surprise(data: bytes, tmp_path: Path) -> None:
    """Any bytes are a configuration or a ConfigError."""
    (tmp_path / "config.yaml").write_bytes(data)
    with suppress(ConfigError):
        load_config(tmp_path / "config.yaml")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 1 << 20), piece=st.text(max_size=4), length=st.integers(0, 4))
def test_no_edit_of_the_shipped_file_causes_a_surprise(position: int, piece: str, length: int, tmp_path: Path) -> None:
    """The shipped file with some characters replaced is a configuration or a ConfigError."""
    text = SHIPPED.read_text(encoding="utf-8")
    start = position % len(text)
    edited = text[:start] + piece + text[start + length :]
    (tmp_path / "config.yaml").write_bytes(edited.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        load_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "url: s3://key:TOPSECRET@bucket/x",
        "url: az://container/x?sig=TOPSECRET",
        "url: s3://bucket/x#TOPSECRET",
        "url: s3://key:TOPSECRET/x",
        "url: s3:key:TOPSECRET@bucket",
        "url: https://key:TOPSECRET@minio/bucket",
        "url: file://key:TOPSECRET@nas/share",
        'url: "s3://bucket/TOP\\nSECRET"',
        "endpoint: http://key:TOPSECRET@minio:9000",
        "endpoint: key:TOPSECRET@minio:9000",
        "endpoint: https://minio/?key=TOPSECRET",
        "url:s3://key:TOPSECRET@bucket/x\n  region: x",
        "url: 's3://key:TOPSECRET@bucket",
        "url: s3://key:TOPSECRET@bucket: x",
        "secret: TOPSECRET",
        "s3://TOPSECRET: x\n  s3://TOPSECRET: x",
        "- s3://key:TOPSECRET@bucket",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    """The errors for an address with credentials and for broken YAML quote no secret."""
    with pytest.raises(ConfigError) as refused:
        load_config(write(tmp_path, f"bucket:\n  {text}\n"))
    assert "TOP" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("s3://voices", "http://192.168.1.2:9000"),
        ("s3://our.voices/at home/anna", "https://minio.example/s3"),
        ("gs://our_voices/x", None),
        ("az://$root/x", None),
        ("file:///mnt/nas@home/#1", None),
        ("/mnt/nas@home/100%?", None),
        (None, None),
    ],
)
def test_an_address_of_a_bucket_is_taken_as_it_is(tmp_path: Path, url: str | None, endpoint: str | None) -> None:
    """Each kind of address is accepted, and a folder of any name."""
    bucket = load_config(write(tmp_path, yaml.safe_dump({"bucket": {"url": url, "endpoint": endpoint}}))).bucket
    assert (bucket.url, bucket.endpoint) == (url, endpoint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that does not exist is a ConfigError, not a traceback."""
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read \(No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_an_empty_file_means_the_defaults_and_paths_start_at_the_file(tmp_path: Path) -> None:
    """Relative paths are taken from the folder of the configuration, absolute ones stay."""
    path = write(tmp_path, "mqtt: {password_file: secret}\naudio: {file: /var/out.wav}")
    config = load_config(path)
    assert config.models.dir == tmp_path / "models"
    assert config.mqtt.password_file == tmp_path / "secret"
    assert config.mqtt.ca_file is None
    assert config.audio.file == Path("/var/out.wav")
    assert load_config(write(tmp_path, "")).device == "home"


def test_a_configuration_cannot_be_changed() -> None:
    """A validated configuration cannot be changed."""
    with pytest.raises(ValueError, match="frozen"):
        Config().device = "other"


def test_a_configuration_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """An account that may not look into the folder hears so in place of getting every default."""
    folder = tmp_path / "etc"
    folder.mkdir()
    place = write(folder, "device: kitchen")
    folder.chmod(0)
    account = os.geteuid()
    try:
        if account == 0:
            os.seteuid(65534)
        with pytest.raises(ConfigError, match=r"config\.yaml: this account may not read it"):
            find_config(places=(place,))
    finally:
        os.seteuid(account)
        folder.chmod(0o700)
    assert find_config(places=(tmp_path / "nowhere.yaml", place / "below", place)).device == "kitchen"
    assert find_config(places=()).device == "home"


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.dictionaries(st.sampled_from([*Config.model_fields, "port", "x"]), inner, max_size=4),
    max_leaves=10,
)


@given(TREES)
def test_no_tree_causes_a_surprise(tree: object) -> None:
    """Whatever YAML yields is either a configuration or a ConfigError."""
    with suppress(ConfigError):
        check(Config, tree, error=ConfigError, what="config.yaml")


@pytest.mark.parametrize("key", [("mqtt", "groups"), ("text", "refuse"), ("bucket", "owners"), ("marking", "exempt")])
def test_a_list_that_is_none_is_told_in_words_of_yaml(tmp_path: Path, key: tuple[str, str]) -> None:
    """One word where a list belongs is refused with how to write it."""
    with pytest.raises(ConfigError, match=rf"{key[0]}.{key[1]}.*no list"):
        config_from({key[0]: {key[1]: "kitchen"}}, folder=tmp_path)
