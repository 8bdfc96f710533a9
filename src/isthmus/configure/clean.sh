# Removes what must not be in an image: identity, caches, logs, histories. What is installed stays, and
# what runs goes on running. The host keys and authorized keys are the driver's to remove.
set -u
if [ -s /etc/machine-id ]; then
  cp /etc/machine-id /run/isthmus.machine-id
  : >/etc/machine-id
fi
if [ ! -L /var/lib/dbus/machine-id ]; then rm -f /var/lib/dbus/machine-id; fi
rm -f /var/lib/systemd/random-seed /var/lib/dhcp/*.leases
if command -v apt-get >/dev/null; then apt-get clean; fi
if command -v dnf >/dev/null; then dnf -q clean all; fi
rm -rf /var/lib/apt/lists/*
if [ -d /var/log/journal ]; then journalctl -q --rotate --vacuum-time=1s || true; fi
find /var/log -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
find /var/log -type f ! -name '*.journal' -exec truncate -s 0 {} +
find /tmp /var/tmp -xdev -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' ! -name '.*-unix' -exec rm -rf {} +
rm -f /root/.*_history /home/*/.*_history
rm -rf /root/.ansible /home/*/.ansible
sync
