"""Worlds of independent factors, and codes whose scores are known."""

import numpy as np

SMALL = (3, 6, 8, 8)
DSPRITES = (3, 6, 40, 32, 32)


def world(sizes=SMALL, rows=10_000, seed=0):
    """Return factors (N, K), uniform and independent."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=rows) for size in sizes], axis=1)


def perfect(factors):
    """Return each factor with mean 0 and standard deviation 1."""
    return (factors - factors.mean(axis=0)) / factors.std(axis=0)


def rotated(factors):
    """Return the perfect code with latents 0, 1 and the last two each turned by 45 degrees."""
    codes, turn = perfect(factors), np.sqrt(0.5) * np.array([[1, 1], [-1, 1]])
    codes[:, :2] = codes[:, :2] @ turn
    codes[:, -2:] = codes[:, -2:] @ turn
    return codes


def merged(factors):
    """Return a code whose first latent holds the first two factors."""
    both = factors[:, 0] * (factors[:, 1].max() + 1) + factors[:, 1]
    return perfect(np.column_stack([both, factors[:, 2:]]))


def missing(factors, seed=1):
    """Return the perfect code with noise in place of factor 1."""
    codes = perfect(factors)
    codes[:, 1] = np.random.default_rng(seed).normal(size=len(codes))
    return codes


def duplicated(factors):
    """Return the perfect code with every latent twice."""
    return np.repeat(perfect(factors), 2, axis=1)


def dead(factors):
    """Return the perfect code with six latents that do not move."""
    return np.column_stack([perfect(factors), np.zeros((len(factors), 6))])


def monotone(factors):
    """Return the perfect code with every latent bent by a monotone map."""
    codes = perfect(factors)
    bends = (lambda z: z**3, lambda z: np.tanh(2 * z), np.exp, lambda z: 1 / (1 + np.exp(-3 * z)))
    return np.column_stack([bends[j % 4](codes[:, j]) for j in range(codes.shape[1])])


def circle(factors):
    """Return the perfect code, but the last factor, taken for a hue, as a point on a circle in two latents."""
    turn = 2 * np.pi * factors[:, -1] / (factors[:, -1].max() + 1)
    return np.column_stack([perfect(factors)[:, :-1], np.sqrt(2) * np.cos(turn), np.sqrt(2) * np.sin(turn)])


def noise(factors, latents=10, seed=1):
    """Return normal numbers that have nothing to do with the factors."""
    return np.random.default_rng(seed).normal(size=(len(factors), latents))


CODES = {
    "perfect": perfect,
    "dead latents": dead,
    "monotone": monotone,
    "merged": merged,
    "rotated": rotated,
    "missing factor": missing,
    "duplicated": duplicated,
    "circle": circle,
    "noise": noise,
}
