"""The suite's own modules, which its runner imports in the same way."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
