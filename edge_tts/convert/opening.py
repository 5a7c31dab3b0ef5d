"""Opens the checkpoints of networks and looks at what is known before anything is written: format, family, sizes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from edge_tts.convert import bert, eres2net, hubert, sovits, t2s
from edge_tts.convert.checkpoint import Checkpoint, Weights, open_checkpoint
from edge_tts.convert.network_config import NetworkConfig
from edge_tts.convert.transformers_folder import read_config, weights_file
from edge_tts.errors import CheckpointError

SizesT = TypeVar("SizesT")


@dataclass(frozen=True, slots=True)
class Opened(Generic[SizesT]):
    """The weights of a network, checked when they are taken, and its sizes."""

    weights: Weights
    sizes: SizesT


class Checkpoints(ExitStack):
    """Checkpoint files, open until the block ends; compressed ones are unpacked in `scratch`.

    Each method raises CheckpointError for a damaged, hostile or unsupported file, and OSError for `scratch`.
    """

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self._scratch = scratch

    def gpt(self, path: Path) -> Opened[t2s.T2SSizes]:
        """A `.ckpt` file of the GPT."""
        source, config = self._gpt_sovits(path)
        if not any(name.startswith("model.") for name in source.shapes):
            raise CheckpointError(f"{path}: not a GPT checkpoint (its parameters have no prefix 'model.')")
        weights = Weights(source, str(path), prefix="model.")
        return Opened(weights, t2s.read_sizes(weights, config))

    def sovits(self, path: Path) -> Opened[sovits.SovitsSizes]:
        """A `.pth` file of SoVITS."""
        source, config = self._gpt_sovits(path)
        sovits.refuse_other_families(str(path), source)
        weights = Weights(source, str(path))
        return Opened(weights, sovits.read_sizes(weights, config))

    def ssl(self, folder: Path) -> Opened[hubert.HubertSizes]:
        """The transformers folder of chinese-hubert-base."""
        source, config = self._transformers(folder)
        inner = "hubert." if any(name.startswith("hubert.") for name in source.shapes) else ""
        weights = Weights(source, str(folder), prefix=inner)
        return Opened(weights, hubert.read_sizes(weights, config))

    def bert(self, folder: Path) -> Opened[bert.BertSizes]:
        """The transformers folder of chinese-roberta-wwm-ext-large."""
        source, config = self._transformers(folder)
        weights = Weights(source, str(folder), prefix=bert.prefix(source.shapes))
        return Opened(weights, bert.read_sizes(weights, config, folder))

    def speaker(self, path: Path) -> Opened[eres2net.SpeakerSizes]:
        """The bare state dict of ERes2NetV2."""
        weights = Weights(self._open(path), str(path))
        return Opened(weights, eres2net.read_sizes(weights))

    def _open(self, path: Path) -> Checkpoint:
        return self.enter_context(open_checkpoint(path, self._scratch))

    def _gpt_sovits(self, path: Path) -> tuple[Checkpoint, NetworkConfig]:
        source = self._open(path)
        if source.config is None:
            raise CheckpointError(f"{path}: not a GPT-SoVITS checkpoint (it has no entries 'weight' and 'config')")
        return source, NetworkConfig(f"{path}: its config", source.config)

    def _transformers(self, folder: Path) -> tuple[Checkpoint, NetworkConfig]:
        weights, config = weights_file(folder), read_config(folder)
        return self._open(weights), NetworkConfig(f"{folder}: config.json", config)
