"""What runs in a process of its own for a playbook, away from the server: Ansible inside a sandbox."""
