"""`python -m lab`."""

import sys

try:
    from lab.kit import streams

    streams.settle()

    from lab.cli import main

    main()
except KeyboardInterrupt:  # Ctrl-C while it was still being loaded
    sys.stderr.write("lab: interrupted\n")
    sys.exit(130)
