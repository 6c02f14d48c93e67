"""``python -m drupe`` is the command `drupe`."""

import sys

from drupe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
