"""Keys of two signers and a stranger, made for one test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_tts.fleet.signing import Trust, make_key


@dataclass(frozen=True)
class Keys:
    """Files of private keys, and the public ones."""

    files: tuple[Path, ...]
    public: tuple[str, ...]

    def trust(self, count: int = 1, *, signers: int = 1) -> Trust:
        """The first `count` of the keys count."""
        return Trust(self.public[:count], signers)


def make_keys(folder: Path, count: int = 3) -> Keys:
    """Each in a file of its own."""
    files = tuple(folder / f"signer-{number}.pem" for number in range(count))
    return Keys(files, tuple(make_key(path) for path in files))
