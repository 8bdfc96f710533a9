#!/bin/bash
# Installs HTCondor and leaves it stopped, disabled and without secrets, fit to be an image.
#   role        manager or worker
#   packages    more packages, a JSON list of plain words
#   containers  true: Apptainer too, from Debian's unstable release
set -euo pipefail

packages_of_role() {
    echo condor python3-minimal "${packages//[][\",]/ }"
    if [[ $containers == true ]]; then echo apptainer/unstable squashfuse/unstable squashfs-tools fuse3/unstable; fi
}

# Debian 13 lacks Apptainer. Nothing else comes from unstable, and later installations know nothing of it.
# The lists of a mirror that lags behind are taken: they are signed all the same.
with_unstable() {
    local site
    site=$(. /etc/os-release; apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $VERSION_CODENAME")
    printf 'deb [check-valid-until=no] %s unstable main\n' "${site%%$'\n'*}" >/etc/apt/sources.list.d/unstable.list
    printf 'Package: *\nPin: release a=unstable\nPin-Priority: 1\n' >/etc/apt/preferences.d/unstable
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Languages=none update
}

# Users mount the images that are files by themselves; in a container the device is only for root at first.
let_users_mount() {
    mkdir -p /etc/systemd/system/condor.service.d
    printf '[Service]\nExecStartPre=-/bin/chmod 666 /dev/fuse\n' >/etc/systemd/system/condor.service.d/10-fuse.conf
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # A daemon that its package starts would run unconfigured; an administrator's own policy stays.
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    # An earlier run may have been cut off in the middle of its work.
    dpkg --configure -a
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Languages=none update
    if [[ $containers == true ]]; then with_unstable; fi
    # A machine that dies while it installs is made anew, so nothing has to be synced to disk.
    # shellcheck disable=SC2046
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
        --no-install-recommends install $(packages_of_role)
}

# What is said to the collector before it listens is said again only seconds later; so the daemons of a
# worker start once it does, or after three seconds all the same.
let_worker_wait() {
    mkdir -p /etc/systemd/system/condor.service.d
    cat >/etc/systemd/system/condor.service.d/20-join.conf <<'UNIT'
[Service]
ExecStartPre=-/usr/local/sbin/await-collector
RestartSec=1s
UNIT
    cat >/usr/local/sbin/await-collector <<'SCRIPT'
#!/bin/bash
# Succeeds when the collector listens; gives up after three seconds.
address=$(condor_config_val CONDOR_HOST)
for _ in {1..60}; do
    if (exec 3<>"/dev/tcp/$address/9618") 2>/dev/null; then exit 0; fi
    sleep 0.05
done
echo "no collector at $address yet"
exit 1
SCRIPT
    chmod 755 /usr/local/sbin/await-collector
}

# What an image must not hold: services that start by themselves, secrets, lists that grow old.
leave_fit_for_an_image() {
    systemctl --quiet --no-reload disable --now condor
    rm -rf /etc/condor/passwords.d/* /etc/condor/tokens.d/* /var/log/condor/*
    apt-get clean
    rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/unstable.list /etc/apt/preferences.d/unstable
    systemctl daemon-reload
}

install_packages
if [[ $containers == true ]]; then let_users_mount; fi
if [[ $role == worker ]]; then let_worker_wait; fi
leave_fit_for_an_image
