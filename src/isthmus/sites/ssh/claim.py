"""The claim that lends a host to one machine: what it says, and what a host answers about it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from isthmus.sites.contract import Ref
from isthmus.sites.errors import Permanent

Text = Annotated[str, StringConstraints(max_length=4096)]


class Claim(BaseModel):
    """The file ``claim.json`` on a host; ``id`` is new for each time that the host is lent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deployment: Text
    node: Text
    index: int
    id: Text
    tags: dict[Text, Text]

    @property
    def ref(self) -> Ref:
        """Whom the host is lent to."""
        return Ref(self.deployment, self.node, self.index)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host says: its claim or none, whether the key is in place, and where we reached it.

    ``half`` is the name of the ref whose claim lost its body, when a crash of the host cut it off.
    """

    claim: Claim | None
    ready: bool = False
    address: str = ""
    half: str = ""

    @property
    def free(self) -> bool:
        """Whether the host may be claimed."""
        return self.claim is None and not self.half

    def held_by(self, ref: Ref) -> bool:
        """Whether the host is lent to ``ref``, wholly or half."""
        return self.half == ref.name or (self.claim is not None and self.claim.ref == ref)


def draft_claim(ref: Ref, tags: dict[str, str]) -> Claim:
    """A claim for ``ref`` with an id of its own."""
    return Claim(deployment=ref.deployment, node=ref.node, index=ref.index, id=secrets.token_hex(8), tags=tags)


def read_answer(place: str, text: str, address: str) -> Answer:
    """The answer in what ``claim.sh`` printed; :class:`Permanent` when a claim cannot be read."""
    state, name, body = [*text.split("\n", 2), "", ""][:3]
    if state == "free":
        return Answer(None, address=address)
    try:
        return Answer(Claim.model_validate_json(body), state == "ready", address)
    except ValidationError:
        if not name:
            raise unreadable(place) from None
    return Answer(None, address=address, half=name)


def unreadable(place: str) -> Permanent:
    """What to say of a claim that does not tell whose it is."""
    return Permanent(
        f"host {place}: the claim in /var/lib/isthmus/claim cannot be read; look at it, and remove that "
        "folder when nobody uses the host"
    )
