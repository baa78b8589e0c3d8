#!/usr/bin/env bash
# crafter 1.8.3: one seed and the same actions do not give the same episode, also within one process. The random numbers
# are the same; the animals of a part of the map lie in a Python set, which is walked through in the order of memory
# addresses, and the one that disappears is drawn by its place in that order. In nearly half of all seeds two plays of
# 200 random steps differ somewhere, often after the hundredth step, so that a test of the first steps sees nothing.
# Python's hash seed does not matter. If objects are hashed by the order in which they were made, all plays are equal.
#
# Needs Python 3.11 or newer and a network. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet crafter==1.8.3 numpy==2.4.6
cd "$folder"
cat > plays.py <<'PYTHON'
import itertools

import crafter
import numpy as np


def episode(seed, steps=200):
    numbers["next"] = itertools.count()
    env, random = crafter.Env(seed=seed), np.random.RandomState(0)
    images = [env.reset()]
    for _ in range(steps):
        image, _, done, _ = env.step(random.randint(env.action_space.n))
        images.append(image)
        if done:
            break
    return images


def differing(seeds=24):
    count = 0
    for seed in range(seeds):
        first = episode(seed)
        between = [object() for _ in range(37 * seed)]  # other addresses, as in any longer program
        second = episode(seed)
        del between
        count += len(first) != len(second) or any((a != b).any() for a, b in zip(first, second))
    return count


numbers = {}
print("some seeds differ:", differing() > 0)

made = crafter.objects.Object.__init__


def numbered(self, *arguments):
    self.number = next(numbers["next"])
    made(self, *arguments)


crafter.objects.Object.__init__ = numbered
crafter.objects.Object.__hash__ = lambda self: self.number
print("hashed by their order, seeds that differ:", differing())
PYTHON
PYTHONHASHSEED=0 "$folder/venv/bin/python" plays.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
some seeds differ: True
hashed by their order, seeds that differ: 0
SEEN
