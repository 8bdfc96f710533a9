"""Isthmus joins computing sites: it deploys TOSCA topologies anywhere and keeps them real."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("isthmus")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0"
