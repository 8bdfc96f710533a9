"""Contextualisation of machines: scripts and Ansible playbooks, run over SSH from the server."""

from isthmus.configure.configurator import Configurator
from isthmus.configure.target import Target

__all__ = ["Configurator", "Target"]
