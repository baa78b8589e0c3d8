"""A Boltzmann machine with a three-way interaction: its energy, its conditionals, mean field, Gibbs sampling and AIS.

Read disbm.py first. States come in units of k images (the "units" of `Supervision`, not hidden units) that share h:
v is (U, k, V), m is (U, k, M) and h is (U, 1, H). With k = 1 this is the plain machine, with k = 2 a pair of images.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, Tensor, Tensor]
"""v, m and h."""


def draw(probability: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw 0 or 1 with the given probabilities of 1, as floats."""
    uniform = torch.rand(probability.shape, generator=generator, device=probability.device, dtype=probability.dtype)
    return uniform.lt_(probability)


class ThreeWayBoltzmann(nn.Module):
    """E = - sum_f (v'Wv)_f (m'Wm)_f (h'Wh)_f - v'P m - v'Q h - a'v - b'm - c'h; Gaussian v add |v|^2 / 2.

    m and h are binary. The energy of a unit of images is the sum over its images, each with m of its own and all with
    the same h; so h has its bias once for each image. E is linear in each of v, m and h, therefore the units of one are
    independent given the other two, and the mean of E under independent units is E at their means.

    Args:
        visible: V.
        pose: M, units of m.
        identity: H, units of h.
        factors: F, terms of the three-way interaction; with 0 the machine is an RBM with hidden units [m; h].
        gaussian: v are normal with variance 1 given m and h, instead of binary.
        std: standard deviation of the initial P and Q; biases are 0.
        three_way_std: standard deviation of the initial Wv, Wm and Wh.
    """

    def __init__(
        self,
        visible: int,
        pose: int,
        identity: int,
        factors: int,
        gaussian: bool = False,
        std: float = 0.01,
        three_way_std: float = 0.01,
    ) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.a = nn.Parameter(torch.zeros(visible))
        self.b = nn.Parameter(torch.zeros(pose))
        self.c = nn.Parameter(torch.zeros(identity))
        self.P = nn.Parameter(std * torch.randn(visible, pose))
        self.Q = nn.Parameter(std * torch.randn(visible, identity))
        self.Wv = nn.Parameter(three_way_std * torch.randn(visible, factors))
        self.Wm = nn.Parameter(three_way_std * torch.randn(pose, factors))
        self.Wh = nn.Parameter(three_way_std * torch.randn(identity, factors))

    def energy(self, v: Tensor, m: Tensor, h: Tensor) -> Tensor:
        """Return E of each unit, (U,)."""
        three_way = ((v @ self.Wv) * (m @ self.Wm) * (h @ self.Wh)).sum(-1)
        pairwise = ((v @ self.P) * m).sum(-1) + ((v @ self.Q) * h).sum(-1)
        energy = -three_way - pairwise - v @ self.a - m @ self.b - h @ self.c
        if self.gaussian:
            energy = energy + 0.5 * v.square().sum(-1)
        return energy.sum(-1)

    # -- Conditionals. The input of a unit is minus the derivative of E by it, so that p(1 | others) = sigmoid(input).
    # `beta` scales every interaction and leaves the biases, for AIS.

    def visible_input(self, m: Tensor, h: Tensor, beta: float = 1.0) -> Tensor:
        """Return the inputs of v, (U, k, V)."""
        interaction = m @ self.P.T + h @ self.Q.T + ((m @ self.Wm) * (h @ self.Wh)) @ self.Wv.T
        return self.a + beta * interaction

    def pose_input(self, v: Tensor, h: Tensor, beta: float = 1.0) -> Tensor:
        """Return the inputs of m, (U, k, M)."""
        return self.b + beta * (v @ self.P + ((v @ self.Wv) * (h @ self.Wh)) @ self.Wm.T)

    def identity_input(self, v: Tensor, m: Tensor, beta: float = 1.0) -> Tensor:
        """Return the inputs of h, (U, 1, H): the sum of those from each image."""
        inputs = self.c + beta * (v @ self.Q + ((v @ self.Wv) * (m @ self.Wm)) @ self.Wh.T)
        return inputs.sum(-2, keepdim=True)

    def visible_mean(self, inputs: Tensor) -> Tensor:
        """Return the mean of p(v | m, h) for the inputs of v."""
        return inputs if self.gaussian else inputs.sigmoid()

    def sample_visible(self, inputs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw v from p(v | m, h) for the inputs of v."""
        if not self.gaussian:
            return draw(inputs.sigmoid(), generator)
        return inputs + torch.randn(inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype)

    def log_normalizer(self, inputs: Tensor) -> Tensor:
        """Return log sum_v exp(v'inputs), or of Gaussian v log of the integral of exp(v'inputs - |v|^2 / 2), (U,)."""
        each = 0.5 * inputs.square() + 0.5 * math.log(2 * math.pi) if self.gaussian else functional.softplus(inputs)
        return each.sum((-2, -1))

    # -- Positive phase

    def mean_field(self, v: Tensor, iterations: int, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return the means of m and h under q(m) q(h), fitted to p(m, h | v).

        m and h are not independent given v. Each half of an iteration sets the means of one group to the best for those
        of the other, because E is linear in each; so the bound of `log_evidence` never falls, with any damping.

        Args:
            v: (U, k, V), 0 or 1 or probabilities of 1.
            iterations: updates of both groups, at least 1.
            damping: share of the means that an update keeps, in [0, 1).
        """
        to_m, to_h, to_factors = v @ self.P + self.b, v @ self.Q + self.c, v @ self.Wv
        # They start as if there were no three-way interaction; without one this is the exact posterior.
        m, h = to_m.sigmoid(), to_h.sum(-2, keepdim=True).sigmoid()
        for _ in range(iterations if self.Wv.shape[1] else 0):
            m = m.lerp((to_m + (to_factors * (h @ self.Wh)) @ self.Wm.T).sigmoid(), 1 - damping)
            inputs = to_h + (to_factors * (m @ self.Wm)) @ self.Wh.T
            h = h.lerp(inputs.sum(-2, keepdim=True).sigmoid(), 1 - damping)
        return m, h

    def log_evidence(self, v: Tensor, m: Tensor, h: Tensor) -> Tensor:
        """Return a lower bound of log sum_{m, h} exp(-E), (U,), from the means of q(m) q(h).

        -E at the means plus the entropy of q. Without a three-way interaction it is exact at the result of
        `mean_field`; minus it is then the free energy of an RBM.
        """
        evidence = -self.energy(v, m, h)
        for mean in (m, h):
            evidence = evidence + (torch.special.entr(mean) + torch.special.entr(1 - mean)).sum((-2, -1))
        return evidence

    # -- Negative phase

    @torch.no_grad()
    def gibbs(
        self, m: Tensor, h: Tensor, sweeps: int, generator: torch.Generator | None, beta: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Draw v given m and h, m given v and h, h given v and m (three-way block Gibbs sampling), `sweeps` times.

        Returns:
            m and h; p(v | m, h) completes the state.
        """
        for _ in range(sweeps):
            v = self.sample_visible(self.visible_input(m, h, beta), generator)
            m = draw(self.pose_input(v, h, beta).sigmoid(), generator)
            h = draw(self.identity_input(v, m, beta).sigmoid(), generator)
        return m, h

    @torch.no_grad()
    def log_partition(
        self, generator: torch.Generator | None, chains: int = 100, temperatures: int = 1000, images: int = 1
    ) -> Tensor:
        """Estimate log Z, a scalar, by annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008).

        The chains start without interactions and go through `temperatures` machines whose interactions are scaled from
        0 to 1; v is summed out. The estimate of Z has no bias, so that of log Z is low on average.

        Args:
            generator: source of the random numbers.
            chains: independent runs.
            temperatures: steps of each, one Gibbs sweep a step.
            images: k.
        """
        m = draw(self.b.sigmoid().expand(chains, images, -1), generator)
        h = draw((images * self.c).sigmoid().expand(chains, 1, -1), generator)
        no_interaction = self.a.expand(1, images, -1)
        log_z = self.log_normalizer(no_interaction) + images * functional.softplus(self.b).sum()
        log_z = log_z + functional.softplus(images * self.c).sum()
        weights = m.new_zeros(chains, dtype=torch.float64)
        for step in range(temperatures):
            interaction = self.visible_input(m, h) - self.a
            before = self.log_normalizer(self.a + step / temperatures * interaction)
            after = self.log_normalizer(self.a + (step + 1) / temperatures * interaction)
            weights += (after - before).double()
            m, h = self.gibbs(m, h, 1, generator, (step + 1) / temperatures)
        return log_z.squeeze() + (weights.logsumexp(0) - math.log(chains)).to(log_z.dtype)
