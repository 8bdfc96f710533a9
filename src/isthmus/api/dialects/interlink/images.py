"""Names of images: what a registry has, or a file or folder of the node below one that the operator names.

Apptainer takes any folder for an image, so that a pod with ``image: /home/somebody`` would read what is there as
surely as with a hostPath.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.api.dialects.interlink.paths import fault_of_absolute, is_below
from isthmus.api.dialects.interlink.refusals import show
from isthmus.work.runner.image_names import FILES

REMOTE = ("docker", "oras", "library", "shub", "https", "http")
"""Schemes (``docker://``) by which an image is fetched; others are of the node's own images, engine or instances."""


def fault_of_image(image: str, folders: Iterable[str]) -> str:
    """Why a pod may not name this image; empty if it may. ``folders`` are those of the node that hold images."""
    odd = not image or not image.isprintable() or " " in image or ".." in image.split("/")
    if odd or image.startswith(("-", "./")):
        return "it is no name of an image"
    scheme, there, _ = image.partition("://")
    if there:
        return "" if scheme in REMOTE else f"no image is taken from {show(scheme)}://"
    path = next((image.removeprefix(p).partition(":")[0] for p in FILES if image.startswith(p)), None)
    if path is None:
        if not image.startswith("/"):
            return ""
        path = image
    if fault := fault_of_absolute(path):
        return fault
    return "" if is_below(path, folders) else f"{show(path)} of the node may not be an image here"
