# What the scripts share; sourced by them.

# There while the daemons run with an older configuration than the one written. It is set before a file
# is written and goes at the next boot, so that a script that is cut short anywhere can be run again.
stale=/run/condor-stale

# put FILE MODE: writes standard input to FILE unless it says that already.
put() {
    local content
    content=$(cat)
    if [[ ! -e $1 || $content != "$(<"$1")" ]]; then
        touch "$stale"
        (umask 077 && printf '%s\n' "$content" >"$1")
    fi
    chmod "$2" "$1"
}

# enable, disable: whether condor starts at boot. A link is all that systemctl makes too, and slower.
enable() {
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf /usr/lib/systemd/system/condor.service /etc/systemd/system/multi-user.target.wants/condor.service
}

disable() { rm -f /etc/systemd/system/multi-user.target.wants/condor.service; }
