"""Names of images: those of registries, which every runtime takes, and those of files and folders of a node. Pure."""

from __future__ import annotations

FILES = ("docker-archive:", "oci-archive:", "oci:")
"""What goes before the path of an image that is no SIF file and no folder with a root."""


def is_of_a_registry(image: str) -> bool:
    """Whether an engine takes an image too; others are Apptainer's alone."""
    if image.startswith(("/", "-", ".", *FILES)):
        return False
    return "://" not in image or image.startswith("docker://")
