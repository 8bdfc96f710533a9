"""Baked images as rows: which site keeps which, made from what, last used when."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection, delete, select, update

from isthmus.store.inserting import insert_or_leave
from isthmus.store.models import images
from isthmus.views import ImageView

i = images.c


def put(c: Connection, image: ImageView) -> None:
    """Insert, or note that it was used."""
    if not insert_or_leave(c, images, **{f.name: getattr(image, f.name) for f in fields(ImageView)}):
        touch(c, image.site, image.key, image.used)


def touch(c: Connection, site: str, key: str, now: float) -> None:
    c.execute(update(images).where(i.site == site, i.key == key).values(used=now))


def all_images(c: Connection) -> list[ImageView]:
    columns = [i.key, i.site, i.size, i.created, i.used, i.node, i.template]
    return [ImageView(*row) for row in c.execute(select(*columns).order_by(i.site, i.used.desc()))]


def remove(c: Connection, site: str, key: str) -> None:
    c.execute(delete(images).where(i.site == site, i.key == key))
