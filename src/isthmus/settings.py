"""The settings of a server: ``config.yaml`` in its home folder, then the environment over it.

The environment may set ``ISTHMUS_HOME``, ``ISTHMUS_DATABASE_URL``, ``ISTHMUS_LISTEN`` and ``ISTHMUS_TICK``.
An unknown key is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from isthmus.errors import Invalid
from isthmus.home import config_file, find_home

Seconds = Annotated[float, Field(gt=0)]
_ENVIRONMENT = {
    "ISTHMUS_DATABASE_URL": "database_url",
    "ISTHMUS_LISTEN": "listen",
    "ISTHMUS_TICK": "tick",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Model):
    """One site: its name, the kind of its driver, and the options that this driver takes."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
    kind: str = Field(min_length=1)
    options: dict[str, Any] = {}


class Settings(_Model):
    """All that a server can be told. Times are seconds."""

    home: Path = Field(default_factory=find_home)
    database_url: str = ""
    """SQLAlchemy URL; SQLite in the home folder when empty."""
    listen: str = "127.0.0.1:0"
    """``HOST:PORT``; port 0 takes a free one."""
    sites: tuple[SiteSettings, ...] = (SiteSettings(name="local", kind="local"),)
    tick: Seconds = 15
    """How often a converged deployment is looked at again."""
    actions_at_once: int = Field(default=16, ge=1)
    deployments_at_once: int = Field(default=32, ge=1)
    lease: Seconds = 10
    worker: bool = True
    """Whether this server also does the work, or only answers."""
    machine_timeout: Seconds = 120
    """How long a new machine may take until it answers."""
    operation_timeout: Seconds = 1800
    """How long one operation may run when its template does not say."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("listen")
    @classmethod
    def _has_host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080")
        return value

    @field_validator("sites")
    @classmethod
    def _names_once(cls, value: tuple[SiteSettings, ...]) -> tuple[SiteSettings, ...]:
        names = [site.name for site in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sites are called {twice[0]}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _keep_rows_at_home(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("database_url"):
            home = Path(data.get("home") or find_home())
            return {**data, "home": home, "database_url": f"sqlite:///{home / 'isthmus.db'}"}
        return data

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises :class:`~isthmus.errors.Invalid` that names each wrong key."""
    environ = os.environ if environ is None else environ
    home = find_home(environ)
    file = config_file(home)
    data = _read(file)
    data |= {key: environ[name] for name, key in _ENVIRONMENT.items() if environ.get(name)}
    try:
        return Settings.model_validate({**data, "home": home})
    except ValidationError as error:
        raise Invalid(_explain(error, file), hint=f"See {file} and the ISTHMUS_ variables.") from None


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Invalid(f"{file} must hold keys and values")
    if "home" in data:
        raise Invalid(f"{file}: home is where this file lies; set ISTHMUS_HOME instead")
    return data


def _explain(error: ValidationError, file: Path) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(map(str, problem["loc"])) or "settings"
        unknown = problem["type"] == "extra_forbidden"
        lines.append(f"unknown key {key}" if unknown else f"{key}: {problem['msg']}")
    return f"settings ({file.name} and environment): " + "; ".join(lines)
