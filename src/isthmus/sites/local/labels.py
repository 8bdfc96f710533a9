"""The labels by which everything that a ``local`` site makes is found again.

A baked image hands its labels down to the containers made from it, so the set of names is fixed: each
is written, if only empty, on every container, and tags share one label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from isthmus.sites.contract import Ref

SITE = "isthmus.site"
DEPLOYMENT = "isthmus.deployment"
NODE = "isthmus.node"
INDEX = "isthmus.index"
TAGS = "isthmus.tags"
HOST_KEY = "isthmus.host-key"
ADDRESSES = "isthmus.addresses"
IMAGE_KEY = "isthmus.image-key"

OF_MACHINES = (SITE, DEPLOYMENT, NODE, INDEX, TAGS, HOST_KEY, ADDRESSES)


def of_ref(site: str, ref: Ref, tags: Mapping[str, str]) -> dict[str, str]:
    """The labels of one resource."""
    return {
        SITE: site,
        DEPLOYMENT: ref.deployment,
        NODE: ref.node,
        INDEX: str(ref.index),
        TAGS: json.dumps(dict(tags), sort_keys=True),
    }


def to_ref(labels: Mapping[str, str]) -> Ref:
    """The resource that carries these labels."""
    return Ref(labels[DEPLOYMENT], labels[NODE], int(labels[INDEX]))


def tags_of(labels: Mapping[str, str]) -> dict[str, str]:
    """The tags that the resource was made with."""
    return dict(json.loads(labels.get(TAGS) or "{}"))


def filters(site: str, deployment: str | None = None, ref: Ref | None = None) -> dict[str, list[str]]:
    """The engine's filter for the resources of a site, of one deployment, or of one ref."""
    wanted = [f"{SITE}={site}", DEPLOYMENT, NODE, INDEX]
    if ref is not None:
        wanted[1:] = f"{DEPLOYMENT}={ref.deployment}", f"{NODE}={ref.node}", f"{INDEX}={ref.index}"
    elif deployment is not None:
        wanted[1] = f"{DEPLOYMENT}={deployment}"
    return {"label": wanted}


def match(found: Mapping[str, str] | None, site: str, deployment: str | None = None, ref: Ref | None = None) -> bool:
    """What :func:`filters` asks, checked here: engines differ in how they join several labels."""
    if not found or found.get(SITE) != site or not {DEPLOYMENT, NODE, INDEX} <= found.keys():
        return False
    if ref is not None:
        return to_ref(found) == ref
    return deployment is None or found[DEPLOYMENT] == deployment
