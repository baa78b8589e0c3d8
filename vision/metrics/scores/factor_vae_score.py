"""FactorVAE score (Kim and Mnih 2018, "Disentangling by Factorising"): which latent varies least with a factor fixed?

With z_j the latents and v_k the factors:

    score = P(factor_of(argmin_j Var_batch(z_j) / Var(z_j)) = k), over batches that share the value of factor k
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.draws import Draws, check_counts
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.beta_vae_score import parts_to_vote

DLIB_THRESHOLD = 0.05
"""Standard deviation below which a latent is left out in `unsupervised_study_v1`. The function's own default is 0."""


@metric("modularity", order=140, chance=lambda sample: 1 / sample.factor_count)
def factor_vae_score(
    sample: Sample, batch_size: int = 64, train_votes: int = 10_000, test_votes: int = 5_000
) -> Scores:
    """Score how well the latent that varies least tells which factor a batch of images has in common.

    A vote: draw a factor k and `batch_size` rows that have one value of it; the vote is for the latent with the least
    variance over them, in units of its variance over all rows. Each latent stands for the factor that most training
    votes for it fixed; the score is the share of fresh votes that fixed the factor their latent stands for.

    Source: Kim and Mnih 2018, "Disentangling by Factorising", section 4, with the sizes of Locatello et al. 2019.
    Range: 0 to 1. Chance: 1 / K. Cost: batch_size x (train_votes + test_votes) of the given rows, and no image.
    Presets: dlib draws all votes from all rows, `test_codes` among them, and leaves out latents with a standard
    deviation below 0.05, the setting behind published numbers, which loses any latent of a small scale; without a
    latent left the score is 0. `unpruned` is the score with the code's own default, 0, where a constant latent gets
    every vote and a perfect code falls to chance. robust leaves out latents by their relative deviation and draws test
    votes from rows that gave no training vote.
    Failure modes: one latent per factor is enough, so spread codes and mixtures over more latents than factors pass;
    several latents may stand for one factor, which is not punished. With few rows a value the least variance is noisy.

    Options: `batch_size` rows a vote; `train_votes`, `test_votes`.
    Values: `factor_vae_score`, `train_accuracy`, and in the dlib preset `unpruned`. Per factor: `accuracy` on test
    votes. Per latent: `factor` that it stands for (a column; -1 without votes). Matrix: share of test votes.
    """
    check_counts(batch_size=batch_size, train_votes=train_votes, test_votes=test_votes)
    fitted, scored = parts_to_vote(sample)
    overall = (sample.codes if sample.preset == "robust" else fitted.codes).var(dim=0)
    train = _variances(Draws(fitted, sample.rng("factor-vae", "train")), train_votes, batch_size)
    test = _variances(Draws(scored, sample.rng("factor-vae", "test")), test_votes, batch_size)
    counted = torch.ones_like(overall, dtype=torch.bool)
    if sample.preset == "dlib":
        counted = overall.sqrt() >= DLIB_THRESHOLD
    votes, seen = (_count(each, overall, counted, sample.factor_count) for each in (test, train))
    stands_for, score, train_score = _accuracies(votes, seen)
    values = {"train_accuracy": train_score}
    if sample.preset == "dlib":
        everything = torch.ones_like(counted)
        pair = (_count(each, overall, everything, sample.factor_count) for each in (test, train))
        values["unpruned"] = _accuracies(*pair)[1]
    each = torch.arange(len(overall), device=votes.device)
    right = torch.zeros(sample.factor_count, dtype=votes.dtype, device=votes.device)
    right.index_add_(0, stands_for, votes[each, stands_for])
    return Scores(
        score=score,
        values=values,
        per_factor={"accuracy": right / votes.sum(dim=0).clamp(min=1)},
        per_latent={"factor": torch.where(seen.sum(dim=1) > 0, sample.measured.to(votes.device)[stands_for], -1)},
        matrix=votes / votes.sum().clamp(min=1),
    )


def _variances(draws: Draws, votes: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return the variances within each vote's batch, (votes, D), and the factor that it fixes."""
    factors = draws.factors(votes)
    rows = draws.rows(votes, 1).expand(votes, batch_size)
    return draws.variances(draws.partners(rows, factors)), factors


def _count(drawn: tuple[Tensor, Tensor], overall: Tensor, counted: Tensor, factors: int) -> Tensor:
    """Return how often each latent won while each factor was fixed, float (D, K)."""
    variances, fixed = drawn
    table = torch.zeros(len(overall) * factors, dtype=overall.dtype, device=overall.device)
    if bool(counted.any()):
        # 0 / 0, which numpy's argmin takes for the least.
        ratio = torch.where(overall > 0, variances / torch.where(overall > 0, overall, 1.0), -1.0)
        winner = torch.where(counted, ratio, torch.inf).argmin(dim=1)
        table.index_add_(0, winner * factors + fixed, torch.ones_like(ratio[:, 0]))
    return table.view(-1, factors)


def _accuracies(votes: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the factor that each latent stands for, and the shares of votes that it is right for."""
    stands_for = seen.argmax(dim=1)
    each = torch.arange(len(seen), device=seen.device)
    test, train = (table[each, stands_for].sum() / table.sum().clamp(min=1) for table in (votes, seen))
    return stands_for, test, train
