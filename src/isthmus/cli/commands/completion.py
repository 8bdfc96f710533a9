"""``isthmus completion``: a script for the shell."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="Which shell: bash, zsh or fish.")],
) -> None:
    """Print a completion script; in bash: source <(isthmus completion bash)"""
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name="isthmus", complete_var="_ISTHMUS_COMPLETE", shell=shell.value))
