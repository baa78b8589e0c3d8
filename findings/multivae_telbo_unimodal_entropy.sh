#!/usr/bin/env bash
# multivae 1.0.3, model TELBO (Vedantam et al. 2018, "TrELBO"): the KL divergence of a posterior of one modality takes the
# log-variance of the joint posterior where its own belongs. So nothing keeps q(z|x) wide: -log variance, the entropy
# term, has no gradient, and its minimum is at variance 0. Here decoders ignore z, and the best q(z|x) is the prior, with
# a log-variance of 0; training drives it to about -13, where its own gradient ends. Samples from one modality (a text,
# a symbol) then lack the variety for which the model is chosen, and a comparison with it is unfair to it.
#
# Needs Python 3.11 or newer, a network, and 6 GB. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 pydantic==2.14.4 tqdm cloudpickle==3.1.3 \
    scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2 nltk==3.10.4
"$folder/venv/bin/pip" install --quiet --no-deps multivae==1.0.3 pythae==0.1.2
cd "$folder"
cat > telbo.py <<'PYTHON'
import torch
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import TELBO, TELBOConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn.base_architectures import BaseDecoder

torch.set_num_threads(1)


class Blind(BaseDecoder):
    """A decoder that ignores z, so that the KL divergence is all that depends on the encoders."""

    latent_dim = 2

    def forward(self, z):
        return ModelOutput(reconstruction=torch.zeros(len(z), 4))


torch.manual_seed(0)
names = ("x", "y")
data = MultimodalBaseDataset({name: torch.randn(64, 4) for name in names})
config = TELBOConfig(n_modalities=2, latent_dim=2, input_dims={name: (4,) for name in names}, warmup=1)
model = TELBO(config, decoders={name: Blind() for name in names})
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(601):
    if step % 300 == 0:
        with torch.no_grad():
            mean = model.encoders["x"](data.data["x"]).log_covariance.mean()
        print(f"step {step}: mean log-variance of q(z|x) {mean:.0f}, of the best one 0")
    optimizer.zero_grad()
    model(data, epoch=2).loss.backward()  # epoch 2: after the warm-up, when posteriors of one modality are trained
    optimizer.step()
PYTHON
"$folder/venv/bin/python" telbo.py 2>/dev/null | sed 's/-0,/0,/' | tee seen
diff seen - <<'SEEN'
step 0: mean log-variance of q(z|x) 0, of the best one 0
step 300: mean log-variance of q(z|x) -13, of the best one 0
step 600: mean log-variance of q(z|x) -13, of the best one 0
SEEN
echo "as described"
