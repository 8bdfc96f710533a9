#!/bin/bash
# Installs Slurm for one role and leaves it stopped, disabled and without keys, fit to be an image.
#   role        controller or worker
#   accounting  true: slurmdbd and MariaDB too (controller)
#   rest_api    true: slurmrestd (controller) and the JWT plugin (both) too
#   packages    more packages, a JSON list of plain words
#   containers  true: Apptainer too, from Debian's unstable release where its own has none
set -euo pipefail

packages_of_role() {
    case $role in
        controller) echo slurmctld slurm-client munge python3-minimal ;;
        worker) echo slurmd slurm-client munge python3-minimal ;;
    esac
    if [[ $rest_api == true ]]; then echo slurm-wlm-jwt-plugin; fi
    if [[ $role$rest_api == controllertrue ]]; then echo slurmrestd; fi
    if [[ $role$accounting == controllertrue ]]; then echo slurmdbd slurm-wlm-mysql-plugin mariadb-server; fi
    if [[ $containers == true ]]; then echo apptainer/unstable squashfuse/unstable squashfs-tools fuse3/unstable; fi
    echo "${packages//[][\",]/ }"
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
    mkdir -p /etc/systemd/system/slurmd.service.d
    printf '[Service]\nExecStartPre=-/bin/chmod 666 /dev/fuse\n' >/etc/systemd/system/slurmd.service.d/10-fuse.conf
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

# slurmd waits for the controller by itself, and tries again until the controller knows it: a worker
# needs nobody to start it in the right order, today or after a power cut. Each wait is short, because
# a boot is not over before it.
let_worker_join() {
    mkdir -p /etc/systemd/system/slurmd.service.d
    cat >/etc/systemd/system/slurmd.service.d/20-join.conf <<'UNIT'
[Unit]
StartLimitIntervalSec=0

[Service]
ExecStartPre=/usr/local/sbin/join-slurm
Restart=on-failure
RestartSec=200ms
UNIT
    cat >/usr/local/sbin/join-slurm <<'SCRIPT'
#!/bin/bash
# Runs before slurmd: waits up to three seconds for slurmctld and, once for each boot, tells it that the
# jobs which it may still believe here are gone. slurmd itself does not in a container, whose boot time
# is that of its host. Fails while slurmctld is away or does not know this worker.
set -euo pipefail
. /etc/default/slurmd
joined=/run/slurm-joined

if [[ -e $joined ]]; then exit 0; fi
for _ in {1..60}; do
    if (exec 3<>"/dev/tcp/$SLURMCTLD_ADDRESS/6817") 2>/dev/null; then
        SLURM_CONF=/etc/slurm/join.conf scontrol update "nodename=$SLURMD_NAME" state=down reason='machine starts'
        touch "$joined"
        exit 0
    fi
    sleep 0.05
done
echo "no slurmctld at $SLURMCTLD_ADDRESS yet"
exit 1
SCRIPT
    chmod 755 /usr/local/sbin/join-slurm
}

# Jobs find each other by host name where no DNS knows the machines: every machine keeps the names of
# the cluster in /etc/hosts, as slurm.conf has them, which workers get from the controller.
keep_names() {
    cat >/usr/local/sbin/slurm-hosts <<'SCRIPT'
#!/bin/bash
# Rewrites the part of /etc/hosts between the markers with the machines named in slurm.conf.
for conf in /etc/slurm/slurm.conf /run/slurm/conf/slurm.conf; do [[ -r $conf ]] && break; done
[[ -r $conf ]] || exit 0
others=$(sed '/^# slurm begin$/,/^# slurm end$/d' /etc/hosts)
names=$(sed -nE 's/^NodeName=([^ ]+) NodeAddr=([^ ]+).*/\2 \1/p; s/^SlurmctldHost=([^(]+)\(([^)]+)\).*/\2 \1/p' "$conf")
# Written in place: in a container /etc/hosts is a mount and cannot be renamed over.
printf '%s\n' "$others" '# slurm begin' "$names" '# slurm end' >/etc/hosts
SCRIPT
    chmod 755 /usr/local/sbin/slurm-hosts
    cat >/etc/systemd/system/slurm-hosts.service <<'UNIT'
[Unit]
Description=Names of the Slurm cluster in /etc/hosts

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/slurm-hosts
UNIT
    cat >/etc/systemd/system/slurm-hosts.path <<'UNIT'
[Unit]
Description=Watch for changes of slurm.conf

[Path]
PathChanged=/etc/slurm/slurm.conf
PathChanged=/var/lib/slurm/slurmd/conf-cache/slurm.conf
Unit=slurm-hosts.service

[Install]
WantedBy=multi-user.target
UNIT
}

serve_rest_api() {
    getent passwd slurmrestd >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin slurmrestd
    mkdir -p /etc/systemd/system/slurmrestd.service.d
    # It refuses to run as root or as slurm; containers forbid the unshare() that it would like.
    cat >/etc/systemd/system/slurmrestd.service.d/20-jwt.conf <<'UNIT'
[Service]
User=slurmrestd
Group=slurmrestd
Environment=SLURM_JWT=daemon SLURMRESTD_SECURITY=disable_unshare_sysv,disable_unshare_files
ExecStart=
ExecStart=/usr/sbin/slurmrestd -a rest_auth/jwt 0.0.0.0:6820
UNIT
}

# What an image must not hold: services that start by themselves, keys, lists that grow old.
leave_fit_for_an_image() {
    local unit
    for unit in munge slurmctld slurmd slurmdbd slurmrestd mariadb; do
        if [[ -e /usr/lib/systemd/system/$unit.service ]]; then systemctl --quiet --no-reload disable --now "$unit"; fi
    done
    rm -f /etc/munge/munge.key
    apt-get clean
    rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/unstable.list /etc/apt/preferences.d/unstable
    systemctl daemon-reload
}

install_packages
keep_names
if [[ $containers == true ]]; then let_users_mount; fi
if [[ $role == worker ]]; then let_worker_join; fi
if [[ $role$rest_api == controllertrue ]]; then serve_rest_api; fi
leave_fit_for_an_image
