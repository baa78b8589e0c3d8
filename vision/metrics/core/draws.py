"""Batches of given rows that share the value of one factor, drawn for many votes at once.

The sampled scores were written for a simulator that renders any factors asked for. Here the rows there are stand for
it: fixing factor k means drawing among the rows that have its value. Everything but factor k then comes as it does in
the data, independent or not.
"""

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.sample import SampleSplit

_NUMBERS = 2**22
"""Codes gathered at once."""


class Draws:
    """Rows by the value of each factor.

    Args:
        part: the rows.
        rng: draws them, on the CPU, so that the same rows come on every device.
    """

    def __init__(self, part: SampleSplit, rng: np.random.Generator) -> None:
        self.part, self.rng = part, rng
        labels = part.labels
        self.order = labels.argsort(dim=0, stable=True).T.contiguous()
        width = int(labels.max()) + 1
        self.counts = torch.zeros(labels.shape[1], width, dtype=torch.int64, device=labels.device)
        self.counts.scatter_add_(1, labels.T.contiguous(), torch.ones_like(labels.T))
        self.starts = self.counts.cumsum(dim=1) - self.counts

    def factors(self, votes: int) -> Tensor:
        """Draw which factor each vote fixes, int64 (votes,)."""
        return self._on_device(self.rng.integers(0, self.part.labels.shape[1], votes))

    def rows(self, votes: int, batch: int) -> Tensor:
        """Draw rows of any kind, int64 (votes, batch)."""
        return self._on_device(self.rng.integers(0, len(self.part), (votes, batch)))

    def partners(self, rows: Tensor, factors: Tensor) -> Tensor:
        """Draw for each of rows (votes, batch) a row that has the same value of the vote's factor; it may be itself."""
        k = factors[:, None].expand_as(rows)
        value = self.part.labels[rows, k]
        count = self.counts[k, value]
        uniform = torch.from_numpy(self.rng.random(tuple(rows.shape))).to(rows.device, self.part.codes.dtype)
        place = torch.minimum((uniform * count).to(torch.int64), count - 1)
        return self.order[k, self.starts[k, value] + place]

    def mean_distances(self, first: Tensor, second: Tensor) -> Tensor:
        """Return mean |z - z'| over the pairs of each vote, (votes, D)."""
        codes = self.part.codes
        return torch.cat(
            [(codes[a] - codes[b]).abs().mean(dim=1) for a, b in zip(*self._chunks(first, second), strict=True)]
        )

    def variances(self, rows: Tensor) -> Tensor:
        """Return the unbiased variance of every latent over the rows of each vote, (votes, D)."""
        return torch.cat([self.part.codes[chunk].var(dim=1) for chunk in self._chunks(rows)[0]])

    def _chunks(self, *rows: Tensor) -> list[tuple[Tensor, ...]]:
        size = max(1, _NUMBERS // (rows[0].shape[1] * self.part.codes.shape[1]))
        return [torch.split(each, size) for each in rows]

    def _on_device(self, numbers: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
        return torch.from_numpy(numbers).to(self.part.codes.device)


def check_counts(**counts: int) -> None:
    """Check numbers of votes and rows.

    Raises:
        InputError: one is not a whole number from 1 up (batch_size: from 2 up).
    """
    for name, value in counts.items():
        least = 2 if name == "batch_size" else 1
        if isinstance(value, bool) or value != int(value) or value < least:
            raise InputError(f"{name} must be a whole number from {least} up, not {value!r}")
