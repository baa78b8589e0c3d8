#!/usr/bin/env bash
# pythae 0.1.2, BetaTCVAE with use_mss=True, its default: the importance weights of minibatch stratified sampling (Chen et
# al. 2018, appendix C.2) belong on the diagonal, 1/N for the image itself. They are in the first two columns, so every
# image counts itself as one of a batch instead of one of the data set, images 0 and 1 count too little for all others,
# and the weights of one row sum to more than 1. Of independent latents, the total correlation of a batch of 64 of 10,000
# images is then 0.5 nats where the right weights give -0.6 (both are biased; the true value is 0). The same lines are in
# the paper's own code and in others that took them from there; their loss curves look as they should.
#
# Needs Python 3.11 or newer and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 pydantic==2.14.4 tqdm cloudpickle==3.1.3 scipy==1.17.1 \
    scikit-learn==1.9.1
"$folder/venv/bin/pip" install --quiet --no-deps pythae==0.1.2
cd "$folder"
cat > weights.py <<'PYTHON'
import torch
from pythae.models import BetaTCVAE, BetaTCVAEConfig

torch.set_num_threads(1)
model = BetaTCVAE(BetaTCVAEConfig(input_dim=(1, 8, 8), latent_dim=2))
assert model.use_mss


def right(batch, size):
    """1/N for the image itself, (N - M)/(N M) for one other and 1/M for the rest, M = batch - 1: rows sum to 1."""
    others, rows = batch - 1, torch.arange(batch)
    weights = torch.full((batch, batch), 1 / others)
    weights[rows, rows] = 1 / size
    weights[rows, (rows + 1) % batch] = (size - others) / (size * others)
    return weights.log()


for name, weights in (("right", right), ("pythae", model._log_importance_weight_matrix)):
    for row in weights(5, 100).exp():
        print(name, " ".join(f"{value:.2f}" for value in row), f"sum {row.sum():.2f}")
    generator, total = torch.Generator().manual_seed(0), 0.0
    for _ in range(200):
        mean = torch.randn(64, 2, generator=generator)  # independent latents, each image with a posterior of its own
        log_variance = torch.full((64, 2), -4.0)
        z = mean + torch.randn(64, 2, generator=generator) * (0.5 * log_variance).exp()
        density = model._compute_log_gauss_density(z[:, None], mean[None], log_variance[None])
        chosen = weights(64, 10_000)
        joint = torch.logsumexp(chosen + density.sum(-1), 1)
        alone = torch.logsumexp(chosen[..., None] + density, 1).sum(-1)
        total += float((joint - alone).mean()) / 200
    print(f"{name} total correlation {total:.1f} nats")
PYTHON
"$folder/venv/bin/python" weights.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
right 0.01 0.24 0.25 0.25 0.25 sum 1.00
right 0.25 0.01 0.24 0.25 0.25 sum 1.00
right 0.25 0.25 0.01 0.24 0.25 sum 1.00
right 0.25 0.25 0.25 0.01 0.24 sum 1.00
right 0.24 0.25 0.25 0.25 0.01 sum 1.00
right total correlation -0.6 nats
pythae 0.01 0.24 0.25 0.25 0.25 sum 1.00
pythae 0.01 0.24 0.25 0.25 0.25 sum 1.00
pythae 0.01 0.24 0.25 0.25 0.25 sum 1.00
pythae 0.24 0.24 0.25 0.25 0.25 sum 1.23
pythae 0.01 0.24 0.25 0.25 0.25 sum 1.00
pythae total correlation 0.5 nats
SEEN
echo "as described"
