#!/bin/bash
# Installs HTCondor and leaves it stopped, disabled and without secrets, fit to be an image.
#   role    manager or worker
set -euo pipefail

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
    # A machine that dies while it installs is made anew, so nothing has to be synced to disk.
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
        --no-install-recommends install condor python3-minimal
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
    rm -rf /var/lib/apt/lists/*
    systemctl daemon-reload
}

install_packages
if [[ $role == worker ]]; then let_worker_wait; fi
leave_fit_for_an_image
