"""What a machine image consists of: packages, files, masked units. A change of it changes the image's tag."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "ca-certificates", "curl", "sudo",
    "procps", "iproute2", "iputils-ping", "netbase", "acl", "xz-utils",
)  # fmt: skip
"""systemd and sshd make it a machine; the rest is what Ansible and most installers take for granted."""

DPKG_OPTIONS = (
    "force-unsafe-io",  # these disks are disposable, and installing costs a third less
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
)
APT_OPTIONS = ('Acquire::Languages "none"',)

MASKED = (
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket", "systemd-resolved.service", "systemd-networkd.service",
    "systemd-timesyncd.service", "systemd-logind.service", "systemd-modules-load.service",
    "systemd-remount-fs.service", "systemd-sysctl.service", "systemd-binfmt.service", "systemd-random-seed.service",
    "systemd-tpm2-setup-early.service", "systemd-tpm2-setup.service", "systemd-firstboot.service",
    "systemd-update-utmp.service", "systemd-ask-password-console.path", "systemd-ask-password-wall.path",
    "systemd-tmpfiles-setup-dev-early.service", "systemd-tmpfiles-setup-dev.service", "kmod-static-nodes.service",
    "ldconfig.service", "systemd-journal-catalog-update.service", "systemd-sysusers.service",
    "systemd-update-done.service", "systemd-hibernate-clear.service", "systemd-machine-id-commit.service",
    "getty.target", "console-getty.service", "getty@.service", "ssh.socket", "tmp.mount",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount", "dev-mqueue.mount", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer",
    "systemd-tmpfiles-clean.timer",
)  # fmt: skip
"""Units that need hardware or a console, repeat what installing did, or act behind the owner's back."""

GENERATORS = ("debug", "getty", "gpt-auto", "hibernate-resume", "run", "ssh", "system-update", "tpm2")
"""Unit generators with nothing to find in a container; each would cost a process at every boot."""

SSHD = """\
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
UseDNS no
SetEnv LANG=C.UTF-8
MaxStartups 200
MaxSessions 100
"""

# sshd wants nothing of a booting system but its key, so it does not wait for the rest of it.
SSH_UNIT = """\
[Unit]
Description=OpenSSH server
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=notify
RuntimeDirectory=sshd
RuntimeDirectoryMode=0755
ExecStart=/usr/sbin/sshd -D
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
RestartPreventExitStatus=255

[Install]
WantedBy=sysinit.target
"""

# The journal of a disposable machine lives in memory: quick to open, and no part of a baked image.
JOURNAL = """\
[Journal]
Storage=volatile
RuntimeMaxUse=16M
"""

FILES: Mapping[str, str] = {
    "etc/systemd/journald.conf.d/10-machine.conf": JOURNAL,
    "etc/ssh/sshd_config.d/10-machine.conf": SSHD,
    "etc/systemd/system/ssh.service": SSH_UNIT,
    "etc/machine-id": "",
}
LINKS: Mapping[str, str] = {
    "etc/systemd/system/default.target": "/usr/lib/systemd/system/multi-user.target",
    "etc/systemd/system/sysinit.target.wants/ssh.service": "/etc/systemd/system/ssh.service",
    "etc/systemd/system/sshd.service": "/etc/systemd/system/ssh.service",
    # The message bus starts when somebody calls it.
    "etc/systemd/system/multi-user.target.wants/dbus.service": "/dev/null",
    **{f"etc/systemd/system/{unit}": "/dev/null" for unit in MASKED},
    **{f"etc/systemd/system-generators/systemd-{name}-generator": "/dev/null" for name in GENERATORS},
}
ABSENT = ("etc/ssh/ssh_host_*", "etc/systemd/system/multi-user.target.wants/ssh.service", "etc/hostname")


def tag(suite: str) -> str:
    """The image tag of this recipe: the Debian release and a digest of all of the above."""
    parts = [PACKAGES, DPKG_OPTIONS, APT_OPTIONS, dict(FILES), dict(LINKS), ABSENT]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{suite}-{digest[:12]}"


def overlay() -> bytes:
    """The recipe's files and links as a tar to unpack at ``/``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
        for name, target in LINKS.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
    return out.getvalue()
