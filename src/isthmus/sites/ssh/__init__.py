"""Hosts that exist already, lent one at a time to the machines of deployments, over SSH."""

from isthmus.sites.ssh.driver import SshDriver

__all__ = ["SshDriver"]
