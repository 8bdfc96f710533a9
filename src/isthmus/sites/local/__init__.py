"""The embedded site: machines as system containers, through the Docker API of Docker or Podman."""
