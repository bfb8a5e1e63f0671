"""``python -m guided_sr``: the same as the ``guided-sr`` command."""

from __future__ import annotations

import sys

from guided_sr.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
