"""What disentanglement_lib notices of alterations of its own artefacts; the counterpart of `altered_artefacts`.

    python3.7 -m venv /tmp/dlib
    /tmp/dlib/bin/pip install disentanglement_lib==1.5 tensorflow==1.14 tensorflow_hub==0.7 "gin-config<0.5" \
        "protobuf<3.21" "numpy<1.19" "h5py<3"
    /tmp/dlib/bin/python benchmarks/altered_dlib.py --tries 20

It needs TensorFlow 1.14, and so Python 3.7, and imports nothing of darla. A beta-VAE is trained for five steps on its
dummy data; each try alters a copy of the postprocessed model and scores it. An alteration is noticed if that raises an
error.
"""

import argparse
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import gin  # noqa: E402
import tensorflow as tf  # noqa: E402
from disentanglement_lib.evaluation import evaluate  # noqa: E402
from disentanglement_lib.methods.unsupervised import train  # noqa: E402
from disentanglement_lib.postprocessing import postprocess  # noqa: E402

ROWS = (
    "nothing",
    "a byte changed anywhere",
    "cut off anywhere",
    "a file of it removed",
    "a plain value in its JSON changed",
)
TRAINED = """dataset.name = 'dummy_data'
model.name = 'beta_vae'
model.model = @vae()
vae.beta = 1.
model.training_steps = 5
model.batch_size = 4
model.random_seed = 0
encoder.num_latent = 3
encoder.encoder_fn = @fc_encoder
decoder.decoder_fn = @fc_decoder
reconstruction_loss.loss_fn = @bernoulli_loss
vae_optimizer.optimizer_fn = @AdamOptimizer"""
POSTPROCESSED = """postprocess.postprocess_fn = @mean_representation
dataset.name = 'auto'
postprocess.random_seed = 0"""
SCORED = """evaluation.evaluation_fn = @mig
dataset.name = 'auto'
evaluation.random_seed = 0
mig.num_train = 100
discretizer.discretizer_fn = @histogram_discretizer
discretizer.num_bins = 5"""


def alter(row, folder, rng):
    """Alter one file of a folder."""
    if row == ROWS[0]:  # shows that what raises is the alteration
        return
    names = sorted(os.path.join(root, name) for root, _, files in os.walk(folder) for name in files)
    if row == ROWS[4]:
        name = rng.choice([name for name in names if name.endswith(".json")])
        with open(name) as file:
            content = json.load(file)
        key = rng.choice(sorted(key for key, value in content.items() if isinstance(value, (int, float, str))))
        content[key] = content[key] + ("x" if isinstance(content[key], str) else 1)
        with open(name, "w") as file:
            json.dump(content, file)
        return
    name = rng.choice(names)
    with open(name, "rb") as file:
        data = bytearray(file.read())
    place = rng.randrange(max(1, len(data)))
    if row == ROWS[3]:
        os.remove(name)
    else:
        if row == ROWS[2]:
            del data[place:]
        elif data:
            data[place] ^= rng.randrange(1, 256)
        with open(name, "wb") as file:
            file.write(data)


def main():
    """Alter, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20, help="alterations of each kind")
    options = parser.parse_args()
    tf.compat.v1.logging.set_verbosity("FATAL")
    with tempfile.TemporaryDirectory() as place:
        model, whole, tried = (os.path.join(place, name) for name in ("model", "whole", "try"))
        train.train_with_gin(model, True, [], TRAINED.splitlines())
        postprocess.postprocess_with_gin(model, whole, True, [], POSTPROCESSED.splitlines())
        print("| alteration | disentanglement_lib |\n|---|---:|", flush=True)
        for number, row in enumerate((*ROWS, ROWS[0])):
            rng, noticed = random.Random(number), 0
            for repeat in range(options.tries):
                # A folder of its own: distutils, which copies, does not make again one that it has made.
                out = os.path.join(place, f"out-{number}-{repeat}")
                shutil.copytree(whole, tried)
                alter(row, tried, rng)
                gin.clear_config()  # an error leaves the configuration locked, and all that follows would fail
                try:
                    evaluate.evaluate_with_gin(tried, out, False, [], SCORED.splitlines())
                except Exception:
                    noticed += 1
                shutil.rmtree(tried)
            print(f"| {row} | {noticed} of {options.tries} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
