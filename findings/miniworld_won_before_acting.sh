#!/usr/bin/env bash
# MiniWorld (miniworld 2.1.0): in Hallway and OneRoomS6, 3 of 100 episodes begin beside the goal and are won, at almost
# full reward, by the first action whatever it is; in FourRooms and PutNext 1 to 2 of 100. `near` counts as touching what
# is closer than both radii and 1.1 steps, and nothing keeps the start that far away. So an agent that only turns on the
# spot has a success rate above 0, and a seed decides whether an episode asks for anything.
#
# Needs Python 3.11 or newer, EGL and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet miniworld==2.1.0 gymnasium==1.4.0 pyglet==1.5.31 numpy==2.4.6
cd "$folder"
cat > first.py <<'PYTHON'
import pyglet

pyglet.options["headless"] = True
import gymnasium
import miniworld  # noqa: F401  (registers the environments)

TURN_LEFT = 0
for name in ("Hallway", "OneRoomS6", "FourRooms", "PutNext", "OneRoom", "TMaze"):
    env = gymnasium.make(f"MiniWorld-{name}-v0", obs_width=16, obs_height=16)
    won, least = 0, 1.0
    for seed in range(300):
        env.reset(seed=seed)
        _, reward, terminated, _, _ = env.step(TURN_LEFT)
        if terminated and reward > 0:
            won, least = won + 1, min(least, reward)
    print(f"won {name}: {won} of 300 episodes by turning once, reward at least {least:.3f}")
    env.close()
PYTHON
"$folder/venv/bin/python" first.py 2>/dev/null | grep "^won" | tee seen
diff seen - <<'SEEN'
won Hallway: 9 of 300 episodes by turning once, reward at least 0.999
won OneRoomS6: 9 of 300 episodes by turning once, reward at least 0.998
won FourRooms: 5 of 300 episodes by turning once, reward at least 0.999
won PutNext: 3 of 300 episodes by turning once, reward at least 0.999
won OneRoom: 0 of 300 episodes by turning once, reward at least 1.000
won TMaze: 0 of 300 episodes by turning once, reward at least 1.000
SEEN
echo "as described"
