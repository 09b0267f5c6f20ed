"""Tests of the whole house.

Importing this is the first thing that a test process does; see below for what must come before every other import.
"""

import os
import sys
from pathlib import Path


def _share_compiled_code() -> None:
    """Where the environment says to write no bytecode, keep it out of the sources' way but keep it, for this process and its children.

    Without it every process compiles all of the service and its libraries: two to three seconds of a core, and a tree has four processes.
    """
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        sys.pycache_prefix = str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "bytecode")
        sys.dont_write_bytecode = False
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


_share_compiled_code()
