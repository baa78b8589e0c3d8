"""`python -m darla` is the command line."""

import sys

from darla.cli import main

sys.exit(main())
