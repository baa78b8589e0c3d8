"""`python -m darla` is the command line."""

import sys

from darla.cli.main import main

sys.exit(main())
