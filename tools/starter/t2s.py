"""Phonemes and prompt -> tokens: the GPT of GPT-SoVITS v2 at a small size, with upstream's parameter names.

Post-norm transformer, ReLU, sine positions with a learned alpha for text and audio, each from 0; 1025 outputs without
bias. `Teaching` holds what helps training and is dropped at export."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EOS = 1024
PHONEMES, BERT_WIDTH = 732, 1024


@dataclass(frozen=True)
class Sizes:
    """Size of the network."""

    layers: int = 6
    width: int = 320
    heads: int = 5
    wide: int = 960


class Named(nn.Module):
    """An embedding under upstream's name."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(rows, width)
        nn.init.normal_(self.word_embeddings.weight, std=0.6)


class Position(nn.Module):
    """Sine table scaled by a learned alpha."""

    table: Tensor

    def __init__(self, width: int, longest: int = 2048) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        angle = torch.arange(longest)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table = torch.stack([angle.sin(), angle.cos()], -1).reshape(longest, width)
        self.register_buffer("table", table, persistent=False)

    def forward(self, start: int, count: int) -> Tensor:
        scaled: Tensor = self.alpha * self.table[start : start + count]
        return scaled


class Attention(nn.Module):
    """Multi-head attention with packed projections [q; k; v]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v, each [B, heads, T, head width]."""
        batch, length, width = x.shape
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = packed.view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def join(self, mixed: Tensor) -> Tensor:
        """[B, heads, T, head width] -> [B, T, width]."""
        batch, heads, length, width = mixed.shape
        joined: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, heads * width))
        return joined


class Layer(nn.Module):
    """Attention, residual, norm, feed-forward, residual, norm."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.self_attn = Attention(sizes.width, sizes.heads)
        self.linear1 = nn.Linear(sizes.width, sizes.wide)
        self.linear2 = nn.Linear(sizes.wide, sizes.width)
        self.norm1 = nn.LayerNorm(sizes.width)
        self.norm2 = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, mask: Tensor, dropout: float) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, W], additive mask [B, 1, T, T] -> x, queries and keys."""
        q, k, v = self.self_attn.project(x)
        # Written out: the fused attention's backward pass on the CPU takes longer than all the rest of the step.
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + mask.to(q.dtype)
        mixed = torch.softmax(scores, -1, dtype=q.dtype) @ v
        return self.finish(x, mixed, dropout), q, k

    def finish(self, x: Tensor, mixed: Tensor, dropout: float = 0.0) -> Tensor:
        """What follows the attention."""
        x = self.norm1(x + F.dropout(self.self_attn.join(mixed), dropout))
        hidden = self.linear2(F.relu(self.linear1(x)))
        normed: Tensor = self.norm2(x + F.dropout(hidden, dropout))
        return normed


class Stack(nn.Module):
    """Layers under upstream's name `h.layers`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(sizes) for _ in range(sizes.layers)])


class T2S(nn.Module):
    """The network that is shipped."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.bert_proj = nn.Linear(BERT_WIDTH, sizes.width)
        self.ar_text_embedding = Named(PHONEMES, sizes.width)
        self.ar_text_position = Position(sizes.width)
        self.ar_audio_embedding = Named(EOS + 1, sizes.width)
        self.ar_audio_position = Position(sizes.width)
        self.h = Stack(sizes)
        self.ar_predict_layer = nn.Linear(sizes.width, EOS + 1, bias=False)
        # No BERT features exist for English: the projection must be exactly nothing.
        nn.init.zeros_(self.bert_proj.weight)
        nn.init.zeros_(self.bert_proj.bias)

    def text(self, phonemes: Tensor) -> Tensor:
        """int64 [B, P] -> [B, P, W]."""
        x = self.ar_text_embedding.word_embeddings(phonemes) + self.bert_proj.bias
        placed: Tensor = x + self.ar_text_position(0, phonemes.shape[1])
        return placed

    def audio(self, tokens: Tensor, start: int = 0) -> Tensor:
        """int64 [B, N] -> [B, N, W]."""
        x = self.ar_audio_embedding.word_embeddings(tokens)
        placed: Tensor = x + self.ar_audio_position(start, tokens.shape[1])
        return placed


@dataclass(frozen=True)
class Batch:
    """Padded sequences: phonemes [B, P] with lengths, tokens [B, N] with lengths.

    `spoken` int64 [B, N] is the phoneme that sounds in each token, -1 in padding; `phones` int64 [B, N] is the
    teacher's phone, -1 where a token is padding or not taught.
    `heard` is `tokens` with some of them replaced: what the network is shown.
    """

    phonemes: Tensor
    phoneme_counts: Tensor
    tokens: Tensor
    token_counts: Tensor
    heard: Tensor
    spoken: Tensor
    phones: Tensor

    def mask(self) -> Tensor:
        """Additive [B, 1, P + N, P + N]: text sees text, audio sees text and what came before."""
        text, audio = self.phonemes.shape[1], self.tokens.shape[1]
        place = torch.arange(text + audio, device=self.tokens.device)
        allowed = (place[None] <= place[:, None]) | (place[None] < text)
        allowed[:text, text:] = False
        real = torch.cat([place[:text] < self.phoneme_counts[:, None], place[:audio] < self.token_counts[:, None]], 1)
        seen = allowed[None] & real[:, None]
        return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -1e9)[:, None]


class Teaching(nn.Module):
    """T2S with its teaching aids: attention guided along the known alignment, and a phone classifier."""

    GUIDED = (1, 2, 3)
    """Layers whose head 0 is led along the text."""

    def __init__(self, sizes: Sizes, phones: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.model = T2S(sizes)
        self.phone = nn.Linear(sizes.width, phones)
        self.dropout = dropout

    def loss(self, batch: Batch, *, eos_weight: float = 4.0, guide: float = 0.3) -> tuple[Tensor, dict[str, float]]:
        """Weighted cross entropy of tokens and EOS, plus the aids."""
        text = batch.phonemes.shape[1]
        x = torch.cat([self.model.text(batch.phonemes), self.model.audio(batch.heard)], 1)
        mask = batch.mask()
        rows = torch.arange(len(x), device=x.device)
        # Row 0 of the targets is foretold by the last row of the text, row i by token i - 1.
        last = batch.phoneme_counts - 1
        led = x.new_zeros(())
        for number, layer in enumerate(self.model.h.layers):
            x, q, k = layer(x, mask, self.dropout if self.training else 0.0)
            if number in self.GUIDED:
                led = led + guidance(q[:, 0, text:], k[:, 0, :], mask[:, 0, text:], batch.spoken) / len(self.GUIDED)
        out = torch.cat([x[rows, last][:, None], x[:, text:]], 1)
        logits = self.model.ar_predict_layer(out).float()
        targets = F.pad(batch.tokens, (0, 1), value=0)
        targets[rows, batch.token_counts] = EOS
        place = torch.arange(targets.shape[1], device=x.device)
        real = place[None] <= batch.token_counts[:, None]
        entropy = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        # Tokens without a phone are padding, or silence that is heard and not taught.
        taught = F.pad(batch.phones >= 0, (0, 1)).float()
        weight = real * torch.where(targets == EOS, eos_weight, taught)
        main = (entropy * weight).sum() / weight.sum()
        phone = F.cross_entropy(self.phone(out[:, :-1]).float().transpose(1, 2), batch.phones, ignore_index=-1)
        hit = ((logits.argmax(-1) == targets) & real).sum() / real.sum()
        total = main + guide * led + 0.2 * phone
        ending = (entropy * (targets == EOS) * real).sum() / len(x)
        figures = {"ce": main, "guide": led, "phone": phone, "hit": hit, "eos": ending}
        return total, {key: value.item() for key, value in figures.items()}

    @torch.no_grad()
    def logits(self, phonemes: Tensor, tokens: Tensor) -> Tensor:
        """Logits [1, 1025] after phonemes [1, P] and tokens [1, N] of one sequence."""
        text = phonemes.shape[1]
        x = torch.cat([self.model.text(phonemes), self.model.audio(tokens)], 1)
        place = torch.arange(x.shape[1])
        allowed = (place[None] <= place[:, None]) | (place[None] < text)
        allowed[:text, text:] = False
        mask = torch.zeros(allowed.shape).masked_fill(~allowed, -1e9)[None, None]
        for layer in self.model.h.layers:
            x, _, _ = layer(x, mask, 0.0)
        row: Tensor = self.model.ar_predict_layer(x[:, -1])
        return row


def guidance(q: Tensor, k: Tensor, mask: Tensor, spoken: Tensor) -> Tensor:
    """Mean -log of the attention [B, N, .] that falls on the sounding phoneme (half on its neighbours counts).

    Row i foretells token i + 1, so it is led to where that one sounds."""
    scores = (q.float() @ k.float().transpose(1, 2)) / math.sqrt(q.shape[-1]) + mask
    shares = scores.softmax(-1)
    aim = F.pad(spoken[:, 1:], (0, 1), value=-1)
    real = aim >= 0
    centre = aim.clamp(min=0)
    mass = shares.gather(2, centre[..., None])
    beside = shares.gather(2, (centre - 1).clamp(min=0)[..., None]) + shares.gather(2, (centre + 1)[..., None])
    cost = -torch.log((mass + 0.4 * beside).clamp(1e-5, 1.0))[..., 0]
    return (cost * real).sum() / real.sum()
