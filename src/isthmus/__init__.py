"""Isthmus joins computing sites: it deploys TOSCA topologies anywhere and keeps them real."""

__version__: str


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: reading package metadata costs as much as the whole CLI."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("isthmus")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0"
