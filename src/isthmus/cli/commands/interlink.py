"""``isthmus interlink``: the two endpoints that the stock programs of interLink speak to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isthmus.cli.failures import CONFLICT, USAGE, Failure

if TYPE_CHECKING:
    from isthmus.api.dialects.interlink.listening import Listening
    from isthmus.api.dialects.interlink.ping import NodeFace
    from isthmus.api.dialects.interlink.policy import Policy

app = typer.Typer(help="Take pods of a Kubernetes cluster through interLink.", no_args_is_help=True)

_PLUGIN, _API = "127.0.0.1:4000", "127.0.0.1:3000"
Site = Annotated[str, typer.Option("--site", metavar="SITE", help="The site that pods run on.")]
Listen = Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen.")]
Socket = Annotated[Path | None, typer.Option("--socket", metavar="PATH", help="Listen on a Unix socket instead.")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="The certificate, for HTTPS.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key.")]
ClientCa = Annotated[
    Path | None, typer.Option("--client-ca", metavar="FILE", help="Who signs the certificates of clients (mTLS).")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="Bearer tokens of clients, one a line.")
]
BodyLimit = Annotated[int, typer.Option("--body-limit", metavar="MIB", min=1, max=1024, help="Bound of a body.")]
HostPath = Annotated[
    list[str] | None, typer.Option("--host-path", metavar="DIR", help="Pods may mount what is in this folder.")
]
PreExec = Annotated[bool, typer.Option("--allow-pre-exec", help="Run slurm-job.vk.io/pre-exec in a shell of nodes.")]
Confined = Annotated[
    bool, typer.Option("--confined", help="The runtime gives no container root or privileges, as Apptainer.")
]
Restarts = Annotated[
    Literal["never", "on-failure", "always"],
    typer.Option("--restarts", help="The farthest restart policy that is followed; pods beyond it run once."),
]
Tolerate = Annotated[
    list[str] | None, typer.Option("--tolerate", metavar="FIELD", help="Let pass a field that is not honoured.")
]
RuntimeOption = Annotated[
    list[str] | None, typer.Option("--runtime-option", metavar="OPT", help="Pods may give it to the runtime.")
]
Flavor = Annotated[list[str] | None, typer.Option("--flavor", metavar="NAME=FLAGS", help="A flavor and its flags.")]
SiteOption = Annotated[
    list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the site, for all pods.")
]
Accelerator = Annotated[
    list[str] | None, typer.Option("--accelerator", metavar="RESOURCE=TYPE", help="A resource that is a GPU.")
]
Resource = Annotated[
    list[str] | None, typer.Option("--resource", metavar="NAME=QUANTITY", help="What the node shows of itself.")
]
TaintOption = Annotated[
    list[str] | None, typer.Option("--taint", metavar="KEY=VALUE:EFFECT", help="A taint that the node asks for.")
]


@app.command()
def plugin(
    site: Site,
    listen: Listen = None,
    socket: Socket = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    client_ca: ClientCa = None,
    token_file: TokenFile = None,
    body_limit: BodyLimit = 32,
    host_path: HostPath = None,
    allow_pre_exec: PreExec = False,
    confined: Confined = False,
    restarts: Restarts = "on-failure",
    tolerate: Tolerate = None,
    runtime_option: RuntimeOption = None,
    flavor: Flavor = None,
    option: SiteOption = None,
    accelerator: Accelerator = None,
    resource: Resource = None,
    taint: TaintOption = None,
) -> None:
    """Serve a site as a plugin, for an API server of interLink."""

    def run() -> None:
        from isthmus.api.dialects.interlink.serving import plugin_app, serve
        from isthmus.api.dialects.interlink.wiring import open_pod_jobs

        policy = _policy(host_path, allow_pre_exec, confined, restarts, tolerate, runtime_option, flavor, option,
                         accelerator)  # fmt: skip
        where = _listening(listen, socket, tls_cert, tls_key, client_ca, token_file, _PLUGIN)
        opened = plugin_app(lambda: open_pod_jobs(site), policy, _face(policy, resource, taint), body_limit << 20)
        serve(opened, where)

    _run(run)


@app.command()
def api(
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
    listen: Listen = None,
    socket: Socket = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    client_ca: ClientCa = None,
    token_file: TokenFile = None,
    body_limit: BodyLimit = 32,
    host_path: HostPath = None,
    allow_pre_exec: PreExec = False,
    confined: Confined = False,
    restarts: Restarts = "on-failure",
    tolerate: Tolerate = None,
    runtime_option: RuntimeOption = None,
    flavor: Flavor = None,
    option: SiteOption = None,
    accelerator: Accelerator = None,
    resource: Resource = None,
    taint: TaintOption = None,
) -> None:
    """Serve virtual kubelets, in front of a site or of a plugin elsewhere."""

    def run() -> None:
        from isthmus.api.dialects.interlink.serving import edge_of_plugin, edge_of_site, serve
        from isthmus.api.dialects.interlink.upstream import Address
        from isthmus.api.dialects.interlink.wiring import open_pod_jobs

        where = _listening(listen, socket, tls_cert, tls_key, client_ca, token_file, _API)
        if plugin is not None:
            _refuse_beside_plugin(
                site=site, host_path=host_path, allow_pre_exec=allow_pre_exec, confined=confined,
                restarts=restarts != "on-failure", tolerate=tolerate, runtime_option=runtime_option, flavor=flavor,
                option=option, accelerator=accelerator, resource=resource, taint=taint,
            )  # fmt: skip
            address = Address(plugin, plugin_ca, plugin_cert, plugin_key, plugin_token_file)
            serve(edge_of_plugin(address, body_limit << 20), where)
            return
        if site is None or plugin_ca or plugin_cert or plugin_key or plugin_token_file:
            raise Failure("Give --site, or --plugin with the options of a plugin.", code=USAGE)
        policy = _policy(host_path, allow_pre_exec, confined, restarts, tolerate, runtime_option, flavor, option,
                         accelerator)  # fmt: skip
        face = _face(policy, resource, taint)
        serve(edge_of_site(lambda: open_pod_jobs(site), policy, face, body_limit << 20), where)

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


def _refuse_beside_plugin(**options: object) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise Failure(f"With --plugin, {', '.join(given)} would say nothing.", code=USAGE)


def _listening(
    listen: str | None,
    socket: Path | None,
    cert: Path | None,
    key: Path | None,
    client_ca: Path | None,
    token_file: Path | None,
    default: str,
) -> Listening:
    from isthmus.api.dialects.interlink.listening import Listening

    address = listen or ("" if socket is not None else default)
    return Listening(address, socket, cert, key, client_ca, token_file)


def _policy(
    host_paths: Sequence[str] | None,
    pre_exec: bool,
    confined: bool,
    restarts: str,
    tolerated: Sequence[str] | None,
    runtime_options: Sequence[str] | None,
    flavors: Sequence[str] | None,
    options: Sequence[str] | None,
    accelerators: Sequence[str] | None,
) -> Policy:
    from isthmus.api.dialects.interlink.policy import ACCELERATORS, RUNTIME_OPTIONS, Policy
    from isthmus.work.job import Restart

    for folder in host_paths or ():
        if not folder.startswith("/"):
            raise Failure(f"--host-path {folder} is no absolute path.", code=USAGE)
    return Policy(
        host_paths=tuple(host_paths or ()),
        pre_exec=pre_exec,
        confined=confined,
        restarts={"never": Restart.NEVER, "on-failure": Restart.ON_FAILURE, "always": Restart.ALWAYS}[restarts],
        tolerated=tuple(tolerated or ()),
        runtime_options=RUNTIME_OPTIONS | set(runtime_options or ()),
        flavors=_pairs("--flavor", flavors),
        options=_pairs("--option", options),
        accelerators={**ACCELERATORS, **_pairs("--accelerator", accelerators)},
    )


def _face(policy: Policy, resources: Sequence[str] | None, taints: Sequence[str] | None) -> NodeFace:
    from isthmus.api.dialects.interlink.ping import NodeFace
    from isthmus.api.dialects.interlink.quantity import parse_quantity
    from isthmus.api.dialects.interlink.wire import Taint

    stated = _pairs("--resource", resources)
    for name, quantity in stated.items():
        try:
            parse_quantity(quantity)
        except ValueError as error:
            raise Failure(f"--resource {name}: {error}", code=USAGE) from None
    asked = []
    for taint in taints or ():
        key_value, colon, effect = taint.rpartition(":")
        if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
            raise Failure(f"--taint {taint} is no KEY=VALUE:EFFECT.", code=USAGE)
        key, _, value = key_value.partition("=")
        asked.append(Taint(key=key, value=value, effect=effect))
    return NodeFace(
        cpu=stated.pop("cpu", None),
        memory=stated.pop("memory", None),
        pods=stated.pop("pods", "1000"),
        accelerators=stated,
        taints=tuple(asked),
        partition=policy.options.get("partition"),
    )


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise Failure(f"{option} {one} is no NAME=VALUE.", code=USAGE)
        pairs[key] = value
    return pairs
