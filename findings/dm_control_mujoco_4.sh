#!/usr/bin/env bash
# dm_control 1.0.50 asks for mujoco 3.17 or newer, and mujoco 4.0.0 is newer: pip installs the two together and reports no
# conflict, all of the suite imports, and no task can be made: the wrapper of the model looks for a field that mujoco 4
# does not have. With mujoco 3.17.0 and the same dm_control each task runs. `pip check` is content both times.
#
# Needs Python 3.11 or 3.12 and a network; nothing is drawn. Fails if the behaviour is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > tasks.py <<'PYTHON'
from importlib import metadata

from dm_control import suite

made, missing = 0, set()
for domain, task in suite.BENCHMARKING:
    try:
        suite.load(domain, task).reset()
        made += 1
    except AttributeError as error:  # it ends with the name of the field
        missing.add(str(error).split()[-1].strip("'\""))
print("mujoco", metadata.version("mujoco"), "tasks made:", made, "of", len(suite.BENCHMARKING), "missing:", sorted(missing))
PYTHON
for mujoco in 4.0.0 3.17.0; do
  "${PYTHON:-python3}" -m venv "venv-$mujoco"
  "venv-$mujoco/bin/pip" install --quiet dm_control==1.0.50 "mujoco==$mujoco" numpy==2.4.6
  "venv-$mujoco/bin/pip" check | tail -n 1
  MUJOCO_GL=disable "venv-$mujoco/bin/python" tasks.py 2>/dev/null
done | tee seen
diff seen - <<'SEEN'
No broken requirements found.
mujoco 4.0.0 tasks made: 0 of 28 missing: ['flex_vertedge']
No broken requirements found.
mujoco 3.17.0 tasks made: 28 of 28 missing: []
SEEN
