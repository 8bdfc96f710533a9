"""Which images an engine takes."""

from __future__ import annotations

import pytest

from isthmus.work.runner.image_names import is_of_a_registry


@pytest.mark.parametrize("image", ["alpine", "python:3.12", "localhost/x@sha256:0", "docker://a/b", "oci", "oci/x:1"])
def test_of_a_registry(image: str) -> None:
    assert is_of_a_registry(image)


@pytest.mark.parametrize(
    "image",
    ["/a.sif", "./a.sif", "../a", "-x", "oci:/a", "oci-archive:./a", "docker-archive:/a", "oras://a", "https://a/b"],
)
def test_of_apptainer_alone(image: str) -> None:
    assert not is_of_a_registry(image)
