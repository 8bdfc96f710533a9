"""What the service layer answers: frozen values that API, CLI, web and dialects all show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal[
    "pending", "deploying", "running", "updating", "starting", "stopping", "stopped", "degraded", "failed",
    "cancelled", "deleting", "deleted",
]  # fmt: skip
"""Where a deployment stands. `running`, `stopped` and `deleted` are converged; `degraded` will be tried
again by itself, `failed` and `cancelled` wait for a person (`isthmus deploy --resume`)."""

CONVERGED: tuple[Phase, ...] = ("running", "stopped", "deleted")
ENDED: tuple[Phase, ...] = (*CONVERGED, "failed", "cancelled")
"""Phases in which nothing more happens by itself."""


@dataclass(frozen=True, slots=True)
class OperationView:
    """One interface operation on one instance: `waiting`, `running`, `done` or `failed`."""

    name: str
    state: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance of a node: a machine, a volume, or software on one machine."""

    name: str
    index: int
    state: str
    site: str | None = None
    id: str | None = None
    private_address: str | None = None
    public_address: str | None = None
    image: str | None = None
    reason: str = ""
    operations: Sequence[OperationView] = ()


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node of a deployment's topology, with its instances; `host` is the node that it runs on."""

    name: str
    type: str
    kind: str
    host: str | None = None
    minimum: int = 1
    maximum: int = 1
    instances: Sequence[InstanceView] = ()


@dataclass(frozen=True, slots=True)
class DeploymentSummary:
    """A deployment in a list. Times are seconds since the epoch."""

    id: str
    name: str
    phase: Phase
    reason: str
    template: str
    site: str | None
    owner: str
    vo: str
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class DeploymentView(DeploymentSummary):
    """One deployment whole. `version` counts changes of what is desired; it is the ETag of updates."""

    version: int = 1
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    nodes: Sequence[NodeView] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `cursor` asks for the next one, None at the end."""

    items: Sequence[DeploymentSummary]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a deployment's history. `id` grows; ask for what came after it.

    `kind` is a dotted word: `deployment.created`, `action.started`, `action.done`, `action.failed`,
    `action.retried`, `phase.changed`, `drift.found`. `outcome` is `ok`, `failed` or empty.
    """

    id: int
    deployment: str
    time: float
    who: str
    kind: str
    message: str
    node: str | None = None
    action: str | None = None
    outcome: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an operation printed on a machine."""

    id: int
    deployment: str
    time: float
    instance: str
    operation: str
    text: str


@dataclass(frozen=True, slots=True)
class OfferView:
    """What a site would give for one node; `refusal` says why it does not fit, `chosen` that it was taken."""

    node: str
    site: str
    flavour: str
    image: str
    cpus: float
    memory: int
    price: float
    currency: str
    quota_left: int | None
    refusal: str | None
    chosen: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action of a plan. `why` is its reason; `after` names the actions that must end first."""

    id: str
    verb: str
    what: str
    why: str
    site: str | None = None
    after: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as shown before it is run: nodes, offers, actions in order, price per hour."""

    deployment: str
    site: str | None
    offers: Sequence[OfferView]
    actions: Sequence[ActionView]
    price: float
    currency: str
    converged: bool


@dataclass(frozen=True, slots=True)
class DiagnosticView:
    """One thing wrong with a template. `severity` is `error`, `refusal`, `warning` or `note`; `code` is stable."""

    severity: str
    code: str
    summary: str
    detail: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    excerpt: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class LeniencyView:
    """Something that a template made use of and that is accepted beyond the specification."""

    name: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ValidationView:
    """A template that was checked: `valid` if it is TOSCA, `deployable` if it can be made real with inputs given."""

    valid: bool
    deployable: bool
    errors: int
    refusals: int
    warnings: int
    leniencies: Sequence[LeniencyView]
    diagnostics: Sequence[DiagnosticView]


@dataclass(frozen=True, slots=True)
class InputView:
    """One input of a template, as a form needs it; `constraints` are TOSCA constraint clauses."""

    name: str
    type: str
    description: str
    required: bool
    default: Any = None
    constraints: Sequence[Mapping[str, Any]] = ()
    tab: str = ""


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template of the catalogue, with its form."""

    name: str
    title: str
    description: str
    version: str
    tabs: Sequence[str] = ()
    inputs: Sequence[InputView] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site and whether it can be used now."""

    name: str
    kind: str
    ready: bool
    detail: str
    capabilities: Sequence[str]
    machines: int | None = None


@dataclass(frozen=True, slots=True)
class ImageView:
    """A baked image: what it was made from, its size in bytes, when it was last used."""

    key: str
    site: str
    size: int
    created: float
    used: float
    node: str
    template: str


@dataclass(frozen=True, slots=True)
class AccessView:
    """How to reach one machine by SSH. `private_key` is the deployment's own, in OpenSSH form."""

    instance: str
    host: str
    port: int
    user: str
    private_key: str
    host_key: str | None
