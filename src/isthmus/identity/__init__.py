"""Who acts: principals, and the virtual organisations through which they get rights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The one who asks: a subject, the VO it acts for, and whether it may see and change everything."""

    subject: str
    vo: str
    admin: bool = False
