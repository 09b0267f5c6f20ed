"""The settings of a command, and the environment that a parent process hands on to its children.

The second place beside `settings` that looks at the environment: a supervisor has to pass it on, and what the command line says stands
in its place. Light on purpose: the supervisor lives as long as the service. Not here: what a setting means.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.settings import PREFIX, Settings, load_settings

_ROOT: Final = Path(__file__).resolve().parents[2]
_PYTHON_PATH: Final = "PYTHONPATH"


def settings_with(overrides: Mapping[str, str]) -> Settings:
    """Read the settings, with what the command line says in their place; names as in the environment."""
    return load_settings({**os.environ, **overrides})  # noqa: TID251 - see the module


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a child: ours with these, and with the place of our packages first, for a tree that was never installed."""
    known = dict(os.environ)  # noqa: TID251 - see the module
    path = os.pathsep.join([str(_ROOT), *([known[_PYTHON_PATH]] if known.get(_PYTHON_PATH) else [])])
    return {**known, _PYTHON_PATH: path, **variables}


_KEPT: Final = frozenset(f"{PREFIX}{name}" for name in ("HTTP_HOST", "HTTP_PORT", "MLLP_HOST", "MLLP_PORT", "WORKERS", "LOG_LEVEL"))


def demo_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of the demo's own service: nothing of the operator's settings but where it listens and how it works.

    A demo must never reach the operator's database, keys or receivers.
    """
    kept = {name: value for name, value in child_environment({}).items() if not name.startswith(PREFIX) or name in _KEPT}
    return {**kept, **variables}
