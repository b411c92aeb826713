"""`python -m inspector`: the same as the command `reftable-inspector`."""

from __future__ import annotations

from inspector.cli import main

if __name__ == "__main__":
    main()
