#!/bin/bash
# Installs Dask with its units and leaves it stopped and disabled, fit to be an image.
#   role        scheduler or worker
#   packages    JSON list of more Debian packages
set -euo pipefail

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    local -a more
    read -r -a more <<<"${packages//[][\",]/ }"
    # An earlier run may have been cut off in the middle of its work.
    dpkg --configure -a
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Languages=none update
    # A machine that dies while it installs is made anew, so nothing has to be synced to disk.
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
        --no-install-recommends install -- python3-distributed ${more[@]+"${more[@]}"}
}

scheduler_command() {
    echo /usr/bin/dask-scheduler --host '${ADDRESS}' --port 8786 --dashboard-address '${ADDRESS}:8787'
}

worker_command() {
    echo /usr/bin/dask-worker 'tcp://${SCHEDULER_ADDRESS}:8786' --host '${ADDRESS}' --name '${NAME}' \
        --nthreads '${THREADS}' --memory-limit '${MEMORY}' --local-directory /var/lib/dask --no-dashboard
}

# A worker tries to reach its scheduler for ever, so nobody has to start them in the right order.
write_unit() {
    cat >"/etc/systemd/system/dask-$role.service" <<UNIT
[Unit]
Description=Dask $role
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=dask
EnvironmentFile=/etc/dask/isthmus.env
WorkingDirectory=/var/lib/dask
ExecStart=$("${role}_command")
Restart=always
RestartSec=1s
KillMode=mixed
TimeoutStopSec=10s

[Install]
WantedBy=multi-user.target
UNIT
}

install_packages
getent passwd dask >/dev/null || useradd --system --create-home --home-dir /var/lib/dask --shell /usr/sbin/nologin dask
mkdir -p /etc/dask
write_unit
apt-get clean
rm -rf /var/lib/apt/lists/*
systemctl daemon-reload
