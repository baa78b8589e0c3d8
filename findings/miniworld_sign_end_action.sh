#!/usr/bin/env bash
# MiniWorld-Sign-v0 (miniworld 2.1.0): the action that is documented as "end episode" also walks one step backwards,
# because its number, 3, is that of MiniWorld's `move_back`, which the environment does not mean to offer. An agent that
# stands with its back to the right object can so end the episode and be paid for touching it.
#
# Needs Python 3.11 or newer, EGL and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet miniworld==2.1.0 gymnasium==1.4.0 pyglet==1.5.31 numpy==2.4.6
cd "$folder"
cat > sign.py <<'PYTHON'
import math

import pyglet

pyglet.options["headless"] = True
import gymnasium
import miniworld  # noqa: F401  (registers the environments)
import numpy as np

TURN_LEFT, TURN_RIGHT, FORWARD, END = range(4)
env = gymnasium.make("MiniWorld-Sign-v0", color_index=0, goal=1)  # the blue key is right
world = env.unwrapped

env.reset(seed=0)
before = world.agent.pos.copy()
_, reward, terminated, _, _ = env.step(END)
moved = float(np.linalg.norm(world.agent.pos - before))
print(f"end episode at once: terminated {terminated}, reward {reward}, moved by {moved:.2f} m")

env.reset(seed=0)
key = world._objects[1][0]


def turn_to(offset):
    """Turn, 45 degrees a step, until the agent looks at the key (offset 0) or away from it (offset pi)."""
    while True:
        way = key.pos - world.agent.pos
        angle = (math.atan2(-way[2], way[0]) + offset - world.agent.dir + math.pi) % (2 * math.pi) - math.pi
        if abs(angle) < math.radians(23):
            return
        env.step(TURN_LEFT if angle > 0 else TURN_RIGHT)


turn_to(0)
near = key.radius + world.agent.radius + 1.1 * world.max_forward_step
while np.linalg.norm(world.agent.pos + 0.7 * world.agent.dir_vec - key.pos) > near:
    env.step(FORWARD)
turn_to(math.pi)
touching = bool(world.near(key))
_, reward, terminated, _, _ = env.step(END)
print(f"end episode with the key behind: touching before {touching}, terminated {terminated}, reward {reward}")
PYTHON
"$folder/venv/bin/python" sign.py 2>/dev/null | grep "^end" | tee seen
diff seen - <<'SEEN'
end episode at once: terminated True, reward 0, moved by 0.70 m
end episode with the key behind: touching before False, terminated True, reward 1.0
SEEN
echo "as described"
