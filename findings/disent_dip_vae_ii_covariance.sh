#!/usr/bin/env bash
# disent 0.8.0, DipVae with dip_mode="ii", its default: the penalty of DIP-VAE-II (Kumar et al. 2018) is on the
# covariance of the aggregate posterior, Cov[mean] + E[diag(variance)]. The matrix here has one number added to every
# entry instead: the diagonal of the batch of variances, image 0's latent 0, image 1's latent 1 and so on, is averaged. So
# latents that are independent are penalized as if they were correlated, by more the wider the posteriors are, and most
# images of the batch have no influence on that term. Mode "i" is right. Losses look as they should.
#
# Needs Python 3.11 or newer and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet disent==0.8.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 lightning==2.6.6 \
    matplotlib==3.11.2
cd "$folder"
cat > penalty.py <<'PYTHON'
import torch
from disent.frameworks.vae import DipVae
from disent.model import AutoEncoder
from disent.model.ae import DecoderLinear, EncoderLinear
from torch.distributions import Normal

shape = (1, 64, 64)
model = AutoEncoder(EncoderLinear(x_shape=shape, z_size=3, z_multiplier=2), DecoderLinear(x_shape=shape, z_size=3))
mean = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
posterior = Normal(mean, torch.tensor([0.2, 0.4, 0.6]).expand(8, 3))  # variances .04, .16 and .36, mean .187
of_means = torch.cov(mean.T, correction=0)
for mode, right in (("i", of_means), ("ii", of_means + torch.diag(posterior.variance.mean(0)))):
    vae = DipVae(model=model, cfg=DipVae.cfg(dip_mode=mode))
    difference = vae._dip_estimate_cov_matrix(posterior) - right
    print(mode, "is off by", [[round(value, 2) + 0.0 for value in row] for row in difference.tolist()])
PYTHON
"$folder/venv/bin/python" penalty.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
i is off by [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
ii is off by [[0.15, 0.19, 0.19], [0.19, 0.03, 0.19], [0.19, 0.19, -0.17]]
SEEN
