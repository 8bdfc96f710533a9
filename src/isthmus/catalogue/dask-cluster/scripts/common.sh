# What the scripts share; sourced by them.

settings=/etc/dask/isthmus.env

# There while the daemon runs with older settings than those written. It is set before they are written
# and goes at the next boot, so that a script that is cut short anywhere can be run again.
stale=/run/dask-stale

# enable, disable: whether the daemon starts at boot. A link is all that systemctl makes too, and slower.
enable() {
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf "/etc/systemd/system/dask-$role.service" "/etc/systemd/system/multi-user.target.wants/dask-$role.service"
}

disable() { rm -f "/etc/systemd/system/multi-user.target.wants/dask-$role.service"; }
