#!/usr/bin/env bash
# mujoco 3.17.0 beside miniworld 2.1.0 in one process: a mujoco.MjrContext that nobody frees is freed by Python's garbage
# collector, in whichever OpenGL context is current then. There it deletes textures, lists and buffers by the numbers that
# its own had, and another library's have the same: MiniWorld's frame buffer is gone, and its next picture fails with
# `invalid framebuffer operation`, far from MuJoCo. (Where the numbers of the two meet otherwise, nothing fails, and objects
# are missing from the pictures.) Freed by hand while MuJoCo's context is current, nothing happens to MiniWorld.
#
# Needs Linux with EGL and Mesa, Python 3.11 or newer and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mujoco==3.17.0 miniworld==2.1.0 pyglet==1.5.31 numpy==2.4.6
cd "$folder"
cat > pictures.py <<'PYTHON'
import gc
import sys

import pyglet

pyglet.options["headless"] = True
import gymnasium
import miniworld  # noqa: F401  (registers its environments)
import mujoco
import numpy as np
from mujoco.egl import GLContext

model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
opened = GLContext(64, 64)
opened.make_current()
drawings = [mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150) for _ in range(8)]
env = gymnasium.make("MiniWorld-PickupObjects-v0").unwrapped
before = env.reset(seed=0)[0].copy()
if sys.argv[1] == "by hand":
    opened.make_current()
    for drawing in drawings:
        drawing.free()
    pyglet.gl.current_context = None
    env.shadow_window.switch_to()
else:
    drawing = None
    drawings.clear()
    gc.collect()
try:
    seen = "the same picture" if np.array_equal(before, env.reset(seed=0)[0]) else "another picture"
except pyglet.gl.lib.GLException as error:
    seen = f"an error: {error.args[0].decode()}"
print(f"freed {sys.argv[1]}, MiniWorld draws {seen}")
PYTHON
for way in "by hand" "by the garbage collector"; do
  MUJOCO_GL=egl "$folder/venv/bin/python" pictures.py "$way" 2>/dev/null | grep freed
done | tee seen
diff seen - <<'SEEN'
freed by hand, MiniWorld draws the same picture
freed by the garbage collector, MiniWorld draws an error: invalid framebuffer operation
SEEN
