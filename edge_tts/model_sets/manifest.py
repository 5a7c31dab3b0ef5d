"""Model sets on disk: reads the manifest and compares every file with it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from edge_tts.durable.hashes import sha256_of_each
from edge_tts.errors import ModelError
from edge_tts.graphs import AUDIO_POSITIONS, BERT_POSITIONS, TEXT_POSITIONS, Family
from edge_tts.model_folder import MANIFEST, MAX_TOKENS_PER_PHONEME, MIN_TOKENS_PER_PHONEME
from edge_tts.recordings.spoken_words import WORDS_LIMIT
from edge_tts.schema import ConfigDict, Field, Record, check_json, nearest
from edge_tts.text.languages import MODULES
from edge_tts.values import ModelSet, ModelSizes, Sampling

_Count = Annotated[int, Field(ge=1)]


class _File(Record):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class _Sizes(Record):
    """Those that the host needs; a manifest may have more."""

    model_config = ConfigDict(extra="ignore")
    tokens: _Count
    bert_width: _Count
    conditioning_width: _Count
    latent_width: _Count
    samples_per_frame: _Count
    frames_per_token: _Count
    wave_halo_frames: int = Field(ge=0)
    flow_halo_frames: int = Field(default=32, ge=0)
    speaker_width: int = Field(default=0, ge=0)
    # Without them, those of the family with the fewest.
    text_positions: _Count = TEXT_POSITIONS
    audio_positions: _Count = AUDIO_POSITIONS
    bert_positions: _Count = BERT_POSITIONS


class _ManifestSampling(Record):
    top_k: int = Field(default=15, ge=1)
    top_p: float = Field(default=1.0, gt=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    repetition_penalty: float = Field(default=1.35, gt=0)


class _Manifest(Record):
    format: Literal[1]
    name: str
    version: str
    family: Family
    precision: Literal["fp32", "fp16"]
    sample_rate: int = Field(ge=8000, le=192000)
    languages: tuple[str, ...]
    licence: str
    sizes: _Sizes
    sampling: _ManifestSampling = _ManifestSampling()
    # Without them, those that GPT-SoVITS trains on: what has 3 to 25 phonemes a second, at 25 tokens.
    min_tokens_per_phoneme: float = Field(default=MIN_TOKENS_PER_PHONEME, ge=0)
    max_tokens_per_phoneme: float = Field(default=MAX_TOKENS_PER_PHONEME, gt=0)
    longest_run: int | None = Field(default=None, ge=1)
    join_sentences: bool = True
    close_clauses: bool = False
    own_prompts: bool = True
    eight_bits: bool = True
    words_limit: float = Field(default=WORDS_LIMIT, gt=0, le=1)
    flavours: tuple[Literal["plain", "cpu"], ...] = ("plain",)
    default_voice: str | None = None
    voices: tuple[str, ...] = ()
    quality: dict[str, float | int | str] = Field(default_factory=dict)
    """Measured figures and the command that measured them."""
    files: dict[str, _File]


def read_model_set(directory: Path) -> ModelSet:
    """The model set in `directory`, its manifest and the sizes of its files checked; `verify_model_set` reads them.

    Raises ModelError that names the file or key.
    """
    manifest = _read_manifest(directory)
    for name, file in manifest.files.items():
        _check_size(_inside(directory, name), file)
    values = manifest.model_dump(exclude={"format", "quality", "sizes", "sampling", "files", "languages"})
    return ModelSet(
        directory=directory,
        sizes=ModelSizes(**manifest.sizes.model_dump()),
        sampling=Sampling(**manifest.sampling.model_dump()),
        files={name: file.sha256 for name, file in manifest.files.items()},
        languages=_spoken(manifest, directory),
        **values,
    )


def verify_model_set(model: ModelSet, *, but: Collection[str] = ()) -> None:
    """Compare the sha256 of every file with the manifest's, about a second for one or two gigabytes. Raises ModelError,
    also for a file that the manifest does not name. The graphs named in `but` are not read."""
    files = {name: sha256 for name, sha256 in model.files.items() if name.removesuffix(".onnx") not in but}
    paths = [_inside(model.directory, name) for name in files]
    for (path, result), expected in zip(sha256_of_each(paths), files.values(), strict=True):
        try:
            found = result.result()
        except OSError as unreadable:
            raise ModelError(f"{path}: cannot be read ({unreadable.strerror})") from unreadable
        if found != expected:
            raise ModelError(f"{path}: is damaged: its sha256 is {found[:12]}..., the manifest says {expected[:12]}...")
    present = {path.relative_to(model.directory).as_posix() for path in model.directory.rglob("*") if path.is_file()}
    unknown = sorted(present - set(model.files) - {MANIFEST})
    if unknown:
        raise ModelError(f"{model.directory}: the manifest does not name {', '.join(unknown)}")


def installed_model_sets(folder: Path) -> list[str]:
    """Names of the model sets in `folder`, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))


def newest_model_set(folder: Path, *, but_not: str | None = None) -> str | None:
    """The set that was put into `folder` last, by the change time of its manifest: copies keep the time of writing."""
    installed_at: dict[str, float] = {}
    for name in installed_model_sets(folder):
        with suppress(OSError):
            installed_at[name] = (folder / name / MANIFEST).stat().st_ctime
    return max(installed_at.keys() - {but_not}, key=lambda name: (installed_at[name], name), default=None)


def find_model_set(folder: Path, name: str) -> ModelSet:
    """The set `name` in `folder`. Raises ModelError that lists the sets there are."""
    names = installed_model_sets(folder)
    if name not in names:
        hint = nearest(name, names) or ": nothing is installed there (tools/convert makes one)"
        raise ModelError(f"there is no model set '{name}' in {folder}{hint}")
    return read_model_set(folder / name)


def _read_manifest(directory: Path) -> _Manifest:
    path = directory / MANIFEST
    try:
        raw = path.read_bytes()
    except OSError as unreadable:
        raise ModelError(f"{path}: cannot be read ({unreadable.strerror})") from unreadable
    return check_json(_Manifest, raw, error=ModelError, what=str(path))


def _spoken(manifest: _Manifest, directory: Path) -> tuple[str, ...]:
    """The set's languages that the text front end reads. Raises ModelError where there are none."""
    spoken = tuple(language for language in manifest.languages if language in MODULES)
    if not spoken:
        known = ", ".join(sorted(MODULES))
        raise ModelError(f"{directory / MANIFEST}: languages: none of them can be read yet; it should have {known}")
    return spoken


def _inside(directory: Path, name: str) -> Path:
    """The path of a file of the set. Raises ModelError for one outside of the directory and for a link."""
    parts = PurePosixPath(name)
    path = directory / name
    out = "\0" in name or parts.is_absolute() or ".." in parts.parts or not parts.parts
    if out or path.resolve() != directory.resolve() / name:
        raise ModelError(f"{directory / MANIFEST}: the file name '{name}' leads out of the model set")
    return path


def _check_size(path: Path, file: _File) -> None:
    try:
        size = path.stat().st_size
    except OSError as missing:
        raise ModelError(f"{path}: the manifest names it, but it cannot be read ({missing.strerror})") from missing
    if size != file.bytes:
        raise ModelError(f"{path}: has {size} bytes, the manifest says {file.bytes}")
