"""`compat-suite/compare` starts here."""

import sys

from suite.comparison.command import main

sys.exit(main(sys.argv[1:]))
