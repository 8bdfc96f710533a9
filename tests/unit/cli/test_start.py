"""The command starts without what it does not need yet."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["httpx", "yaml", "fastapi", "pydantic", "rich.live", "rich.console", "sqlalchemy", "isthmus.tosca", "asyncssh"]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['isthmus', '--help']\n"
        "from isthmus.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print('HEAVY', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
