"""`python -m redyard`: the command line without its script; the yard starts itself by this door."""

import sys

from redyard.cli.main import main

sys.exit(main())
