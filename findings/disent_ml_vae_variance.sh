#!/usr/bin/env bash
# disent 0.8.0, AdaVae with ada_average_mode="ml-vae": the posteriors of a pair are to be multiplied where they are shared
# (Bouchacourt et al. 2018), so that precisions add up: two observations know more than one. Here the variance
# is twice that of the product, so N(0, 1) combined with itself is N(0, 1) again: the mean is the product's, and the
# second observation adds no certainty. The lines follow disentanglement_lib, whose published results have the same.
#
# Needs Python 3.11 or newer and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet disent==0.8.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 lightning==2.6.6 \
    matplotlib==3.11.2
cd "$folder"
cat > product.py <<'PYTHON'
import torch
from disent.frameworks.vae import AdaVae
from torch.distributions import Normal

grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
for first, second in (((0.0, 1.0), (0.0, 1.0)), ((0.0, 1.0), (3.0, 2.0))):
    one, other = (Normal(*(torch.tensor([value]) for value in part)) for part in (first, second))
    weights = (one.log_prob(grid) + other.log_prob(grid)).softmax(0)  # the product, by numbers
    mean = float((weights * grid).sum())
    variance = float((weights * (grid - mean) ** 2).sum())
    seen = AdaVae.compute_average_distribution(one, other, average_mode="ml-vae")
    print(f"product: mean {mean:.2f}, variance {variance:.2f}; disent: {float(seen.mean):.2f}, {float(seen.variance):.2f}")
PYTHON
"$folder/venv/bin/python" product.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
product: mean 0.00, variance 0.50; disent: 0.00, 1.00
product: mean 0.60, variance 0.80; disent: 0.60, 1.60
SEEN
