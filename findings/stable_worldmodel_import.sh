#!/usr/bin/env bash
# stable-worldmodel 0.1.1: `import stable_worldmodel` fails after `pip install stable-worldmodel`. It imports cv2, which
# only the extra `env` names (beside JAX, Atari and MuJoCo), and imageio, which only the extra `format` names.
#
# Needs Python 3.11 and a network; PyTorch with CUDA is downloaded. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
tried() {
    "$folder/venv/bin/python" -c "import stable_worldmodel; print('imported')" 2>&1 | tail -n 1 | sed "s/^/$1: /" | tee -a seen
}
"$folder/venv/bin/pip" install --quiet stable-worldmodel==0.1.1
tried "as pip installs it"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93
tried "with OpenCV"
"$folder/venv/bin/pip" install --quiet imageio==2.38.1
tried "and with imageio"
diff seen - <<'SEEN'
as pip installs it: ModuleNotFoundError: No module named 'cv2'
with OpenCV: ModuleNotFoundError: No module named 'imageio'
and with imageio: imported
SEEN
echo "as described"
