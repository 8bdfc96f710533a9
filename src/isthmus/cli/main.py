"""The command ``isthmus``: its commands put together, and every failure turned into words and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from isthmus.cli.commands import (
    catalogue,
    deployments,
    history,
    interlink,
    jobs,
    machines,
    server,
    sites,
    templates,
    tosca,
)
from isthmus.cli.commands.completion import completion
from isthmus.cli.commands.deploy import deploy, update
from isthmus.cli.commands.run import run
from isthmus.cli.context import Context
from isthmus.cli.failures import FAILED, INTERRUPTED, Failure
from isthmus.cli.output import emit_line, note, show_failure
from isthmus.cli.words import take_words

EPILOG = """\
\b
Exit codes:
  0    done
  1    the deployment or the operation failed
  2    wrong usage, or a template or input that is not valid
  3    no such thing
  4    in conflict with what is there, or changed meanwhile
  5    the server cannot be reached, or is busy
  6    not allowed
  130  interrupted; work that was begun goes on at the server
  exec passes on the exit code of the command that it ran, run and wait those of jobs

\b
Environment:
  ISTHMUS_HOME                 the local server's folder (~/.local/state/isthmus)
  ISTHMUS_URL, ISTHMUS_TOKEN   a remote server and its token
"""

_UNFORESEEN = (
    OSError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, AssertionError, RecursionError,
)  # fmt: skip


class Root(TyperGroup):
    """The top of all commands: nothing leaves it as a stack trace."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        take_words(self, self.context_settings)
        return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            if _wants_json():
                emit_line(failure.as_json())
            else:
                show_failure(failure)
            raise typer.Exit(failure.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read has seen enough, as in `isthmus list | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except _UNFORESEEN as error:
            if os.environ.get("ISTHMUS_DEBUG"):
                raise
            note(f"isthmus: unforeseen {type(error).__name__}: {error}\nHint: ISTHMUS_DEBUG=1 shows where.")
            raise typer.Exit(FAILED) from None


def _wants_json() -> bool:
    before_dashes = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    return "--json" in before_dashes


app = typer.Typer(
    cls=Root,
    help="Deploys and runs scientific computing anywhere.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from isthmus import __version__

        typer.echo(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="A remote server; else ISTHMUS_URL, else the local one.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its token in a file; else ISTHMUS_TOKEN.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    ctx.obj = Context(url, token_file)


app.add_typer(catalogue.app, name="catalogue")
app.command()(templates.validate)
app.command()(templates.plan)
app.command()(deploy)
app.command("list")(deployments.list_)
app.command()(deployments.show)
app.command()(deployments.outputs)
app.command()(history.events)
app.command()(history.logs)
app.command()(machines.ssh)
app.command("exec", cls=machines.AfterDashes)(machines.exec_)
app.command()(deployments.scale)
app.command()(update)
app.command()(deployments.stop)
app.command()(deployments.start)
app.command()(deployments.cancel)
app.command()(deployments.delete)
app.command(cls=machines.AfterDashes)(run)
app.command()(jobs.jobs)
app.command()(jobs.wait)
app.command()(jobs.fetch)
app.add_typer(sites.app, name="sites")
app.add_typer(sites.images, name="images")
app.add_typer(server.app, name="server")
app.add_typer(tosca.app, name="tosca")
app.add_typer(interlink.app, name="interlink")
app.command()(completion)


def main() -> None:
    """Run a command and exit with its code."""
    if "_ISTHMUS_COMPLETE" in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    app(prog_name="isthmus")


if __name__ == "__main__":
    main()
