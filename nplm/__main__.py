"""`python -m nplm`: the command line, where the script `nplm` is not on the path."""

import sys

from nplm.cli.main import main

sys.exit(main())
