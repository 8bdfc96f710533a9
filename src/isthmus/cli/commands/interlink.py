"""``isthmus interlink``: the two endpoints that the stock programs of interLink speak to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from isthmus.cli.failures import CONFLICT, USAGE, Failure

if TYPE_CHECKING:
    from isthmus.api.dialects.interlink.listening import Listening
    from isthmus.api.dialects.interlink.ping import NodeFace
    from isthmus.api.dialects.interlink.policy import Policy
    from isthmus.api.dialects.interlink.wire import Taint

app = typer.Typer(help="Take pods of a Kubernetes cluster through interLink.", no_args_is_help=True)

_PLUGIN, _API = "127.0.0.1:4000", "127.0.0.1:3000"
Site = Annotated[str, typer.Option("--site", metavar="SITE", help="The site that pods run on.")]


@dataclass(frozen=True, slots=True)
class Options:
    """What both endpoints take: where they listen, and what the operator lets pods of a site do."""

    listen: Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen.")] = None
    socket: Annotated[
        Path | None, typer.Option("--socket", metavar="PATH", help="Listen on a Unix socket instead.")
    ] = None
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="The certificate, for HTTPS.")] = (
        None
    )
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key.")] = None
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", metavar="FILE", help="Who signs the certificates of clients (mTLS).")
    ] = None
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="Bearer tokens of clients, one a line.")
    ] = None
    body_limit: Annotated[
        int, typer.Option("--body-limit", metavar="MIB", min=1, max=1024, help="Bound of a body.")
    ] = 32
    host_path: Annotated[
        list[str] | None, typer.Option("--host-path", metavar="DIR", help="Pods may mount what is in this folder.")
    ] = None
    image_path: Annotated[
        list[str] | None,
        typer.Option("--image-path", metavar="DIR", help="Pods may name images in this folder; /cvmfs by itself."),
    ] = None
    allow_pre_exec: Annotated[
        bool, typer.Option("--allow-pre-exec", help="Run slurm-job.vk.io/pre-exec in a shell of nodes.")
    ] = False
    confined: Annotated[
        bool, typer.Option("--confined", help="The runtime gives no container root or privileges, as Apptainer.")
    ] = False
    restarts: Annotated[
        Literal["never", "on-failure", "always"],
        typer.Option("--restarts", help="The farthest restart policy that is followed; pods beyond it run once."),
    ] = "on-failure"
    tolerate: Annotated[
        list[str] | None, typer.Option("--tolerate", metavar="FIELD", help="Let pass a field that is not honoured.")
    ] = None
    runtime_option: Annotated[
        list[str] | None, typer.Option("--runtime-option", metavar="OPT", help="Pods may give it to the runtime.")
    ] = None
    flavor: Annotated[
        list[str] | None, typer.Option("--flavor", metavar="NAME=FLAGS", help="A flavor and its flags.")
    ] = None
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the site, for all pods.")
    ] = None
    accelerator: Annotated[
        list[str] | None, typer.Option("--accelerator", metavar="RESOURCE=TYPE", help="A resource that is a GPU.")
    ] = None
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", metavar="NAME=QUANTITY", help="What the node shows of itself."),
    ] = None
    taint: Annotated[
        list[str] | None,
        typer.Option("--taint", metavar="KEY=VALUE:EFFECT", help="A taint that the node asks for."),
    ] = None

    @property
    def of_site(self) -> list[str]:
        """The names of those given that say something of a site."""
        first = [one.name for one in fields(self)].index("host_path")
        given = [one for one in fields(self)[first:] if getattr(self, one.name) != one.default]
        return [f"--{one.name.replace('_', '-')}" for one in given]

    def listening(self, default: str) -> Listening:
        """Where to listen, at the address ``default`` if nothing was said."""
        from isthmus.api.dialects.interlink.listening import Listening

        address = self.listen or ("" if self.socket is not None else default)
        return Listening(address, self.socket, self.tls_cert, self.tls_key, self.client_ca, self.token_file)

    def policy(self) -> Policy:
        """What pods may do."""
        from isthmus.api.dialects.interlink.policy import ACCELERATORS, RUNTIME_OPTIONS, Policy
        from isthmus.work.job import Restart

        policy = Policy(
            host_paths=_folders("--host-path", self.host_path),
            pre_exec=self.allow_pre_exec,
            confined=self.confined,
            restarts={"never": Restart.NEVER, "on-failure": Restart.ON_FAILURE, "always": Restart.ALWAYS}[
                self.restarts
            ],
            tolerated=tuple(self.tolerate or ()),
            runtime_options=RUNTIME_OPTIONS | set(self.runtime_option or ()),
            flavors=_pairs("--flavor", self.flavor),
            options=_pairs("--option", self.option),
            accelerators={**ACCELERATORS, **_pairs("--accelerator", self.accelerator)},
        )
        if not self.image_path:
            return policy
        return replace(policy, image_paths=(*policy.image_paths, *_folders("--image-path", self.image_path)))

    def face(self) -> NodeFace:
        """What the node shows of itself."""
        from isthmus.api.dialects.interlink.ping import NodeFace
        from isthmus.api.dialects.interlink.quantity import parse_quantity

        stated = _pairs("--resource", self.resource)
        for name, quantity in stated.items():
            try:
                parse_quantity(quantity)
            except ValueError as error:
                raise Failure(f"--resource {name}: {error}", code=USAGE) from None
        return NodeFace(
            cpu=stated.pop("cpu", None),
            memory=stated.pop("memory", None),
            pods=stated.pop("pods", "1000"),
            accelerators=stated,
            taints=tuple(map(_taint, self.taint or ())),
            partition=_pairs("--option", self.option).get("partition"),
        )


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter ``given`` is read from all :class:`Options`."""
    own = inspect.signature(command, eval_str=True)
    kinds = get_type_hints(Options, include_extras=True)
    named = inspect.Parameter.KEYWORD_ONLY
    parameters = [one.replace(kind=named) for one in own.parameters.values() if one.name != "given"]
    parameters += [
        inspect.Parameter(one.name, named, default=one.default, annotation=kinds[one.name]) for one in fields(Options)
    ]

    def run(**words: Any) -> None:
        given = Options(**{one.name: words.pop(one.name) for one in fields(Options)})
        command(**words, given=given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


@app.command()
@_with_options
def plugin(site: Site, given: Options) -> None:
    """Serve a site as a plugin, for an API server of interLink."""

    def run() -> None:
        from isthmus.api.dialects.interlink.serving import plugin_app, serve
        from isthmus.api.dialects.interlink.wiring import open_pod_jobs

        where = given.listening(_PLUGIN)
        serve(plugin_app(lambda: open_pod_jobs(site), given.policy(), given.face(), given.body_limit << 20), where)

    _run(run)


@app.command()
@_with_options
def api(
    given: Options,
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="The site that pods run on.")] = None,
    plugin: Annotated[
        str | None, typer.Option("--plugin", metavar="URL", help="A plugin elsewhere: http, https or unix.")
    ] = None,
    plugin_ca: Annotated[
        Path | None, typer.Option("--plugin-ca", metavar="FILE", help="Who signed the plugin's certificate.")
    ] = None,
    plugin_cert: Annotated[
        Path | None, typer.Option("--plugin-cert", metavar="FILE", help="The certificate to show to the plugin.")
    ] = None,
    plugin_key: Annotated[Path | None, typer.Option("--plugin-key", metavar="FILE", help="Its key.")] = None,
    plugin_token_file: Annotated[
        Path | None, typer.Option("--plugin-token-file", metavar="FILE", help="The token to show to the plugin.")
    ] = None,
) -> None:
    """Serve virtual kubelets, in front of a site or of a plugin elsewhere."""

    def run() -> None:
        from isthmus.api.dialects.interlink.serving import edge_of_plugin, edge_of_site, serve
        from isthmus.api.dialects.interlink.upstream import Address
        from isthmus.api.dialects.interlink.wiring import open_pod_jobs

        where, limit = given.listening(_API), given.body_limit << 20
        if plugin is not None:
            if idle := [*(["--site"] if site is not None else []), *given.of_site]:
                raise Failure(f"With --plugin, {', '.join(idle)} would say nothing.", code=USAGE)
            address = Address(plugin, plugin_ca, plugin_cert, plugin_key, plugin_token_file)
            serve(edge_of_plugin(address, limit), where)
            return
        if site is None or plugin_ca or plugin_cert or plugin_key or plugin_token_file:
            raise Failure("Give --site, or --plugin with the options of a plugin.", code=USAGE)
        serve(edge_of_site(lambda: open_pod_jobs(site), given.policy(), given.face(), limit), where)

    _run(run)


def _run(serve: Callable[[], None]) -> None:
    from isthmus.errors import IsthmusError
    from isthmus.logs import set_up_logging

    set_up_logging("info")
    try:
        serve()
    except IsthmusError as error:
        code = CONFLICT if error.status == 409 else USAGE
        raise Failure(error.detail, code=code, hint=error.hint) from None


def _folders(option: str, given: Sequence[str] | None) -> tuple[str, ...]:
    for folder in given or ():
        if not folder.startswith("/"):
            raise Failure(f"{option} {folder} is no absolute path.", code=USAGE)
    return tuple(given or ())


def _taint(text: str) -> Taint:
    from isthmus.api.dialects.interlink.wire import Taint

    key_value, colon, effect = text.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise Failure(f"--taint {text} is no KEY=VALUE:EFFECT.", code=USAGE)
    key, _, value = key_value.partition("=")
    return Taint(key=key, value=value, effect=effect)


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise Failure(f"{option} {one} is no NAME=VALUE.", code=USAGE)
        pairs[key] = value
    return pairs
