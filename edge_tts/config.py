"""config.yaml -> a frozen Config: each key, its default and its limits."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from unicodedata import category

from edge_tts.errors import ConfigError
from edge_tts.graphs import MOST_ROWS
from edge_tts.schema import BeforeValidator, ConfigDict, Field, Record, ValidationInfo, check, field_validator
from edge_tts.values import Door, Priority
from edge_tts.yaml_file import BrokenYamlError, read_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A topic level or a folder."""

Owner = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A folder and a prefix in the bucket. Lower case: some file systems do not tell `A` from `a`."""


def _public_key(text: Any) -> Any:
    """Raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != 32 or base64.b64encode(raw).decode() != text:
        raise ValueError("is no public key, which is 44 characters; `edge-ttsd release key FILE` prints one")
    return text


PublicKey = Annotated[str, BeforeValidator(_public_key)]
"""Of Ed25519: 32 bytes in base64."""

CALLER_NAME = r"^[a-z0-9][a-z0-9_.@-]{0,63}$"
CallerName = Annotated[str, Field(pattern=CALLER_NAME)]
"""Lower case: names of callers are compared without it."""

INSTALLED, DATA = Path("/etc/edge-tts"), Path("/var/lib/edge-tts")
"""The read-only configuration folder and the data folder of an installed device."""

_MOST_NAME_BYTES, _MOST_PATH_BYTES = 255, 4095  # limits.h
_MOST_TEXT = 1000

CONFIG_PLACES = (Path("config.yaml"), INSTALLED / "config.yaml")
"""Where the configuration is looked for without -c; without any, every key has its default."""


def _resolved(value: Any, info: ValidationInfo) -> Any:
    """str or Path -> an absolute Path; anything else is left for the type to refuse. Raises ValueError."""
    if not isinstance(value, str | Path):
        return value
    folder = Path.cwd() if info.context is None else info.context.absolute()
    try:
        path = Path(value).expanduser()
        path = (folder / (_with_data(path) if folder == INSTALLED else path)).resolve()
    except RuntimeError as nowhere:  # an unknown user's home, or circular links
        raise ValueError(f"leads nowhere: {nowhere}") from nowhere
    if max(map(len, map(os.fsencode, path.parts))) > _MOST_NAME_BYTES or len(os.fsencode(path)) > _MOST_PATH_BYTES:
        raise ValueError("is too long for a path")
    return path


def _with_data(path: Path) -> Path:
    """An installed device keeps `.state` and `models` below DATA."""
    match path.parts:
        case (".state", *below):
            return DATA.joinpath(*below)
        case ("models", *_):
            return DATA / path
    return path


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ConfigPath = Annotated[Path, BeforeValidator(_resolved)]
"""An absolute path; a relative one, defaults included, is resolved against the configuration file's folder, or without
a file the current one."""


def _from_list(value: object) -> object:
    """Raises ValueError."""
    if not isinstance(value, list | tuple):
        raise ValueError("is no list; write it as in [a, b]")
    return tuple(value)


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(_from_list)]
"""A list in YAML, which has no tuples."""


def _chime(value: Any, info: ValidationInfo) -> Any:
    return value if value == "builtin" else _resolved(value, info)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BUCKET = re.compile(r"file:///.+|(s3|gs|az)://[A-Za-z0-9$][A-Za-z0-9._-]*(/[^@?#\x00-\x1f]*)?")
_ENDPOINT = re.compile(r"https?://[^@?#\s]+")


def _texts(value: object) -> Iterator[str]:
    """All texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | dict):
        for item in value.items() if isinstance(value, dict) else value:
            yield from _texts(item)


class Section(Record):
    """Base of the groups of keys. Defaults are validated too, so that their paths are resolved."""

    model_config = ConfigDict(validate_default=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """Refuse here, where the key is known, what no host, topic or device can be called."""
        bad = next((mark for text in _texts(value) for mark in text if category(mark) in ("Cc", "Cs")), None)
        if bad is not None:
            raise ValueError(f"holds the character U+{ord(bad):04X}; remove it")
        return value


class MqttConfig(Section):
    """The MQTT broker."""

    enabled: bool = True
    host: str = Field(default="localhost", pattern=r"^[^\s/]{1,253}$")
    port: int = Field(default=1883, ge=1, le=65535)
    protocol: Literal["5", "3.1.1"] = "5"
    base_topic: str = Field(
        default="edge-tts", max_length=_MOST_TEXT, pattern=r"^[^$#+/\x00][^#+/\x00]*(/[^#+/\x00]+)*$"
    )
    client_id: str | None = Field(default=None, max_length=_MOST_TEXT)
    username: str | None = Field(default=None, max_length=_MOST_TEXT)
    password_file: ConfigPath | None = None
    tls: bool = False
    ca_file: ConfigPath | None = None
    cert_file: ConfigPath | None = None
    key_file: ConfigPath | None = None
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    session_expiry_s: int = Field(default=86400, ge=0, le=4294967294)
    reconnect_min_s: float = Field(default=0.5, gt=0, le=60)
    reconnect_max_s: float = Field(default=30.0, gt=0, le=3600)
    groups: Listed[Name] = ()
    group_delay_s: float = Field(default=2.0, ge=0, le=30)
    render_group: Name | None = None

    @field_validator("render_group")
    @classmethod
    def _can_answer(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None and info.data.get("protocol") == "3.1.1":
            raise ValueError("needs MQTT 5: an answer goes to a response topic; set mqtt.protocol to 5")
        return group


class HermesConfig(Section):
    """The Hermes protocol of Rhasspy and Snips, over the same broker."""

    site_ids: Listed[str] = ()


class HomeAssistantConfig(Section):
    """Discovery by Home Assistant, over the same broker."""

    enabled: bool = True
    prefix: str = Field(default="homeassistant", pattern=r"^[^#+/\x00]+(/[^#+/\x00]+)*$")


class WyomingConfig(Section):
    """The Wyoming server. The protocol knows no passwords: whoever may connect is named by address."""

    port: int | None = Field(default=None, ge=1, le=65535)
    host: str = "127.0.0.1"
    allow: Listed[str] = ()

    @field_validator("allow")
    @classmethod
    def _is_safe(cls, allow: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for address in allow:
            ip_network(address, strict=False)
        host = info.data.get("host", "")
        if info.data.get("port") is not None and not allow and not is_loopback(host):
            raise ValueError(
                f"is empty, but wyoming.host {host} is reached from other machines, and Wyoming knows no passwords: "
                "name the addresses that may connect, as in [192.168.1.10, 192.168.2.0/24], or leave host at 127.0.0.1"
            )
        return allow


class HttpConfig(Section):
    """The HTTP server."""

    port: int | None = Field(default=None, ge=1, le=65535)
    host: str = Field(default="127.0.0.1", pattern=r"^[^\s/]{1,253}$")
    token_file: ConfigPath | None = None
    metrics_only: bool = False

    @field_validator("token_file")
    @classmethod
    def _is_safe(cls, token_file: Path | None, info: ValidationInfo) -> Path | None:
        host = info.data.get("host", "")
        if info.data.get("port") is not None and token_file is None and not is_loopback(host):
            raise ValueError(
                f"is null, but http.host {host} is reached from other machines: put a secret into a file, as by "
                "`openssl rand -hex 16`, and name it here, or leave host at 127.0.0.1"
            )
        return token_file


class ModelsConfig(Section):
    """The model set."""

    dir: ConfigPath = Path("models")
    name: Name = "starter"
    verify: bool = True


class AudioConfig(Section):
    """The sound output."""

    output: Literal["speaker", "file", "pipe", "none"] = "speaker"
    device: str | int | None = None
    file: ConfigPath = Path(".state/edge-tts.wav")
    pipe: ConfigPath = Path(".state/edge-tts.pcm")
    pipe_rate: int = Field(default=48000, ge=8000, le=192000)
    volume: float = Field(default=100.0, ge=0, le=100)
    loudness: float | None = Field(default=-20.0, ge=-40, le=-10)
    buffer_s: float = Field(default=10.0, ge=0.5, le=600)
    fade_ms: float = Field(default=30.0, ge=1, le=1000)
    keep_open: bool = True
    lead_in_ms: float = Field(default=0.0, ge=0, le=5000)
    chime: Annotated[Path | Literal["builtin"] | None, BeforeValidator(_chime)] = None
    chime_before: Listed[Priority] = ("alert", "normal")


class DuckingConfig(Section):
    """Other sound is turned down while we speak."""

    before: Listed[str] = ()
    after: Listed[str] = ()
    topic: str | None = Field(default=None, max_length=_MOST_TEXT, pattern=r"^[^#+\x00]+$")
    payload_on: str = "ON"
    payload_off: str = "OFF"
    limit_s: float = Field(default=1.0, ge=0.1, le=10)
    linger_s: float = Field(default=1.0, ge=0, le=60)


class EngineConfig(Section):
    """Execution of the networks."""

    execution: Literal["auto", "cpu", "cuda", "tensorrt", "remote"] = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    rows: int = Field(default=4, ge=1, le=MOST_ROWS)
    flavour: Literal["int8w", "cpu", "plain"] = "int8w"
    cache_dir: ConfigPath = Path(".state/engines")
    build_limit_s: float = Field(default=1800.0, ge=10, le=86400)
    workspace_mb: int = Field(default=2048, ge=64, le=65536)
    optimization_level: int = Field(default=3, ge=0, le=5)
    cuda_graphs: bool = True
    unload_after_s: float | None = Field(default=None, ge=1, le=2592000)


class RemoteConfig(Section):
    """Another machine that speaks for this one: an appliance or a farm."""

    url: str | None = Field(default=None, max_length=_MOST_TEXT)
    group: Name | None = None
    token_file: ConfigPath | None = None
    first_audio_ms: float = Field(default=1500.0, ge=50, le=60000)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not _ENDPOINT.fullmatch(url):
            raise ValueError("is not http://HOST:PORT or https://HOST; a secret belongs into remote.token_file")
        return url


class CacheConfig(Section):
    """The phrase cache: what was rendered once is kept on disk."""

    max_mb: int = Field(default=0, ge=0, le=1048576)
    dir: ConfigPath = Path(".state/phrases")


class ResultsConfig(Section):
    """Sound that callers asked for by `deliver`, kept until it expires."""

    keep_s: float = Field(default=3600.0, ge=10, le=604800)
    max_mb: int = Field(default=64, ge=0, le=1048576)
    dir: ConfigPath = Path(".state/results")
    place: Literal["disk", "bucket"] = "disk"
    url: str | None = Field(default=None, max_length=_MOST_TEXT, pattern=r"^https?://[^@?#\s]+$")


class VoicesConfig(Section):
    """Enrolled voices."""

    dir: ConfigPath = Path(".state/voices")
    owner: Owner = "family"
    require_consent: bool = True
    undo_s: float = Field(default=600.0, ge=0, le=2592000)


class EnrolmentConfig(Section):
    """Enrolment on this device: microphone, button, rules."""

    enabled: bool = True
    remote: Literal["ask", "full"] = "ask"
    min_volume: float = Field(default=40.0, ge=10, le=100)
    name: str | None = Field(default=None, min_length=1, max_length=80)
    language: Literal["zh", "en"] = "en"
    microphone: str | int | None = None
    sample_rate: int | None = Field(default=None, ge=8000, le=192000)
    silence_s: float = Field(default=1.5, ge=0.5, le=10)
    networks: ConfigPath | None = None
    gpio_line: str | None = None
    gpio_chip: str | None = None
    gpio_active_low: bool = True
    key_device: str | None = None
    key: str | int | None = None


class BucketConfig(Section):
    """The bucket that voices are synced with.

    Its addresses are published, so none may hold credentials: a malformed one is refused and not quoted.
    """

    url: str | None = ".state/bucket"
    region: str | None = None
    endpoint: str | None = None
    owners: Listed[Owner] | None = Field(default=None, min_length=1)
    interval_s: float = Field(default=600.0, ge=1, le=604800)
    timeout_s: float = Field(default=60.0, ge=1, le=3600)

    @field_validator("url")
    @classmethod
    def _is_bucket(cls, url: str | None, info: ValidationInfo) -> str | None:
        """A bucket address, or a folder: any text without a URL scheme."""
        if url is None or not _SCHEME.match(url):
            return None if url is None else str(_resolved(url, info))
        if not _BUCKET.fullmatch(url):
            raise ValueError(
                "is neither s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX nor a folder; "
                "credentials never belong here"
            )
        return url

    @field_validator("endpoint")
    @classmethod
    def _is_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
            raise ValueError("is not https://HOST or http://HOST:PORT; credentials never belong here")
        return endpoint


class FleetConfig(Section):
    """Releases and configuration that come signed through the bucket."""

    public_keys: Listed[PublicKey] = ()
    signers: int = Field(default=1, ge=1, le=2)
    group: Name | None = None
    auto: bool = True
    interval_s: float = Field(default=3600.0, ge=10, le=604800)

    @field_validator("signers")
    @classmethod
    def _can_be_had(cls, signers: int, info: ValidationInfo) -> int:
        keys = info.data.get("public_keys", ())
        if keys and signers > len(set(keys)):
            raise ValueError(f"is {signers}, but public_keys has {len(set(keys))} key(s)")
        return signers


class TextConfig(Section):
    """How texts are read, what is not spoken, and words that the dictionaries get wrong."""

    refuse: Listed[str] = ("unavailable", "unknown", "none", "null", "nan", "undefined")
    lexicon: dict[str, dict[str, str]] = Field(default={})
    polyphones: ConfigPath | None = None
    dates: Literal["month_first", "day_first"] = "month_first"


class LimitsConfig(Section):
    """Limits of a request and of the queue."""

    queue: int = Field(default=16, ge=1, le=10000)
    resume_s: float = Field(default=600.0, ge=0, le=604800)
    text_chars: int = Field(default=20000, ge=1, le=100000)
    payload_bytes: int = Field(default=262144, ge=256, le=16777216)
    dedupe_s: float = Field(default=0.0, ge=0, le=3600)


class HealthConfig(Section):
    """When a part without a heartbeat counts as stuck."""

    stall_s: float = Field(default=60.0, ge=1, le=3600)


def _span(hours: object) -> object:
    """Raises ValueError."""
    if isinstance(hours, str) and hours[:5] == hours[6:]:
        raise ValueError("begins when it ends; give two times, as in 22:00-07:00")
    return hours


Hours = Annotated[str, BeforeValidator(_span), Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
"""A span of each day, by the device's clock."""


class ContentRule(Section):
    """Words and patterns, and what becomes of a text with one of them."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")
    action: Literal["refuse", "bleep", "report"] = "refuse"
    language: Literal["en", "zh"] | None = None
    words: Listed[str] = ()
    file: ConfigPath | None = None
    patterns: Listed[str] = ()
    sounds_like: bool = False


class ContentConfig(Section):
    """What may be said, and when."""

    rules: Listed[ContentRule] = ()
    command: Listed[str] | None = Field(default=None, min_length=1)
    command_timeout_s: float = Field(default=2.0, ge=0.05, le=60)
    command_failure: Literal["refuse", "pass"] = "refuse"

    quiet_hours: Hours | None = None
    quiet_exempt: Listed[Priority] = ("alert",)


class CallerRules(Section):
    """What a caller may do; null: any, or as much as it likes."""

    voices: Listed[str] | None = None
    priorities: Listed[Priority] | None = None
    doors: Listed[Door] | None = None
    commands: Listed[str] | None = None
    hours: Hours | None = None
    chars_per_minute: int | None = Field(default=None, ge=0)
    chars_per_day: int | None = Field(default=None, ge=0)
    speech_s_per_minute: float | None = Field(default=None, ge=0)
    speech_s_per_day: float | None = Field(default=None, ge=0)


def _addresses(value: object) -> object:
    """Raises ValueError."""
    for address in value if isinstance(value, list | tuple) else ():
        ip_network(address, strict=False)
    return _from_list(value)


class NamedCaller(CallerRules):
    """A caller that the configuration knows."""

    addresses: Annotated[tuple[str, ...], BeforeValidator(_addresses)] = ()


def _names_or_addresses(value: object) -> object:
    """Raises ValueError."""
    for one in value if isinstance(value, list | tuple) else ():
        if not re.fullmatch(CALLER_NAME, str(one)) and "/" not in str(one) and ":" not in str(one):
            raise ValueError(f"has {one!r}, which is neither a caller's name, in lower case, nor an address")
        if "/" in str(one) or ":" in str(one):
            ip_network(one, strict=False)
    return _from_list(value)


NamesOrAddresses = Annotated[tuple[str, ...], BeforeValidator(_names_or_addresses)]


class AccessConfig(Section):
    """Who may ask for what."""

    allow: NamesOrAddresses = ()
    deny: NamesOrAddresses = ()
    default: CallerRules = CallerRules()
    callers: dict[CallerName, NamedCaller] = Field(default={})


class MarkingConfig(Section):
    """How speech says that a machine made it."""

    cue: Literal["none", "chime", "morse", "spoken"] = "none"
    exempt: Listed[Priority] = ()
    inaudible: bool = False
    producer: str = Field(default="edge-tts", min_length=1, max_length=100)


class AuditConfig(Section):
    """The audit log."""

    speech: bool = False
    max_mb: int = Field(default=8, ge=1, le=1024)


class ServiceLevelConfig(Section):
    """Targets of the service level."""

    first_audio_s: float = Field(default=2.0, gt=0, le=3600)
    success_percent: float = Field(default=99.5, ge=0, le=100)


class LogConfig(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    texts: bool = False


_DEFAULTS: Any = {}
"""Of a group that is left out: validated, so that its paths are resolved."""


class Config(Section):
    """config.yaml"""

    device: Name = "home"
    voice: str | None = None
    state_dir: ConfigPath = Path(".state")
    mqtt: MqttConfig = _DEFAULTS
    home_assistant: HomeAssistantConfig = _DEFAULTS
    hermes: HermesConfig = _DEFAULTS
    wyoming: WyomingConfig = _DEFAULTS
    http: HttpConfig = _DEFAULTS
    models: ModelsConfig = _DEFAULTS
    engine: EngineConfig = _DEFAULTS
    audio: AudioConfig = _DEFAULTS
    ducking: DuckingConfig = _DEFAULTS
    remote: RemoteConfig = _DEFAULTS
    cache: CacheConfig = _DEFAULTS
    results: ResultsConfig = _DEFAULTS
    text: TextConfig = _DEFAULTS
    voices: VoicesConfig = _DEFAULTS
    enrolment: EnrolmentConfig = _DEFAULTS
    bucket: BucketConfig = _DEFAULTS
    fleet: FleetConfig = _DEFAULTS
    limits: LimitsConfig = _DEFAULTS
    health: HealthConfig = _DEFAULTS
    service_level: ServiceLevelConfig = _DEFAULTS
    content: ContentConfig = _DEFAULTS
    access: AccessConfig = _DEFAULTS
    audit: AuditConfig = _DEFAULTS
    marking: MarkingConfig = _DEFAULTS
    log: LogConfig = _DEFAULTS

    @field_validator("remote")
    @classmethod
    def _is_named(cls, remote: RemoteConfig, info: ValidationInfo) -> RemoteConfig:
        engine, mqtt = info.data.get("engine"), info.data.get("mqtt")
        if engine is None or mqtt is None or engine.execution != "remote":
            return remote
        if (remote.url is None) == (remote.group is None):
            raise ValueError("needs either url or group, since engine.execution is remote: name who speaks")
        if remote.group is not None and (not mqtt.enabled or mqtt.protocol == "3.1.1"):
            raise ValueError("has a group, which is asked over MQTT 5: set mqtt.enabled and mqtt.protocol")
        if remote.group is not None and mqtt.render_group is not None:
            raise ValueError("has a group, so mqtt.render_group must be null: requests would go in a circle")
        return remote

    @field_validator("bucket")
    @classmethod
    def _gives_links(cls, bucket: BucketConfig, info: ValidationInfo) -> BucketConfig:
        results = info.data.get("results")
        if results is not None and results.place == "bucket" and not _SCHEME.match(bucket.url or ""):
            raise ValueError(
                "has no url s3://, gs:// or az://, but results.place is bucket: a folder gives no links; name one of "
                "these, or set results.place to disk"
            )
        return bucket

    @field_validator("mqtt")
    @classmethod
    def _has_other_groups(cls, mqtt: MqttConfig, info: ValidationInfo) -> MqttConfig:
        device = info.data.get("device")
        for key, groups in (("groups", mqtt.groups), ("render_group", (mqtt.render_group,))):
            if device in groups:
                raise ValueError(f"{key} has {device}, which is this device's own name")
        return mqtt


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """What a configuration is made of."""

    values: Any
    """As in the YAML, not validated."""
    folder: Path
    """Of relative paths."""
    what: str = "configuration"
    """Its name in errors."""

    def config(self) -> Config:
        """Raises ConfigError."""
        return config_from(self.values, folder=self.folder, what=self.what)


def read_secrets(path: Path, *, key: str) -> str:
    """What is in a file of secrets that `key` names, without the space around it. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except OSError as unreadable:
        raise ConfigError(f"{key}: {path} cannot be read ({unreadable.strerror})") from unreadable
    except UnicodeDecodeError as binary:
        raise ConfigError(f"{key}: {path} is not UTF-8 text") from binary
    if not text:
        raise ConfigError(f"{key}: {path} is empty; put a secret into it, as by `openssl rand -hex 16`")
    return text


def read_secret(path: Path | None, *, key: str) -> str | None:
    """The token in a file that `key` names; None without one. Raises ConfigError."""
    if path is None:
        return None
    token = read_secrets(path, key=key)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError(f"{key}: {path} must hold one word of letters, digits and signs, as a header does")
    return token


def find_config(path: Path | None = None, *, places: Sequence[Path] = CONFIG_PLACES) -> Config:
    """The configuration in `path`, else in the first of `places` that is there, else every default. Raises
    ConfigError, also for a place that may not be looked at."""
    return find_source(path, places=places).config()


def find_source(path: Path | None = None, *, places: Sequence[Path] = CONFIG_PLACES) -> ConfigSource:
    """What `find_config` validates. Raises ConfigError."""
    for place in (path,) if path is not None else places:
        if path is not None or _is_there(place):
            return read_source(place)
    return ConfigSource({}, Path.cwd())


def _is_there(place: Path) -> bool:
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # whoever reads it says why not
    return True


def load_config(path: Path) -> Config:
    """Read and validate `path`. Raises ConfigError."""
    return read_source(path).config()


def read_source(path: Path) -> ConfigSource:
    """Read `path`. Raises ConfigError for what is no YAML."""
    try:
        raw = read_yaml(path)
    except PermissionError as forbidden:
        raise ConfigError(
            f"{path}: this account may not read it; use the daemon's (sudo -u edge-tts edge-ttsd ...), or name another"
            " file with -c"
        ) from forbidden
    except OSError as missing:
        raise ConfigError(f"{path}: cannot be read ({missing.strerror})") from missing
    except BrokenYamlError as broken:
        raise ConfigError(f"{path}: cannot be read as YAML: {broken}") from None
    return ConfigSource({} if raw is None else raw, path.parent, str(path))


def config_from(values: Any, *, folder: Path, what: str = "configuration") -> Config:
    """`values` as a Config, relative paths resolved against `folder`. Raises ConfigError that names `what`."""
    return check(Config, values, error=ConfigError, what=what, context=folder)
