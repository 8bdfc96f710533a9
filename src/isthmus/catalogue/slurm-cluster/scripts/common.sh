# What the scripts of controller and workers share; sourced by them.

# Files that a running daemon has not read yet are noted here, before they are written and until it has:
# a script that is cut short anywhere can be run again. The folder is empty after a boot, as it should.
unread=/run/slurm-unread

# put FILE OWNER MODE: writes standard input to FILE unless it says that already.
put() {
    local content
    content=$(cat)
    if [[ ! -e $1 || $content != "$(<"$1")" ]]; then
        mkdir -p "$unread"
        touch "$unread/${1##*/}"
        (umask 077 && printf '%s\n' "$content" >"$1")
    fi
    chown "$2" "$1"
    chmod "$3" "$1"
}

# is_unread NAME: whether the file was written since its daemon read it.
is_unread() { [[ -e $unread/$1 ]]; }

# note_read NAME: its daemon has read the file.
note_read() { rm -f "$unread/$1"; }

# enable UNIT, disable UNIT: whether it starts at boot. A link is all that systemctl makes too, and that
# takes 0.2 s longer.
enable() {
    local unit=/usr/lib/systemd/system/$1 wants=/etc/systemd/system/multi-user.target.wants
    if [[ -e /etc/systemd/system/$1 ]]; then unit=/etc/systemd/system/$1; fi
    mkdir -p "$wants"
    ln -sf "$unit" "$wants/$1"
}

disable() { rm -f "/etc/systemd/system/multi-user.target.wants/$1"; }

# add_user NAME: a login user, the same number on all machines, that accepts the keys of whoever
# configures the machine. The password is `*`, which nobody can type, since sshd may refuse a locked account.
add_user() {
    if ! getent passwd "$1" >/dev/null; then
        # The number comes from the name: the same on every machine, another one for another user.
        useradd --no-create-home --shell /bin/bash --password '*' --uid $((20000 + $(cksum <<<"$1" | cut -d' ' -f1) % 30000)) "$1"
    fi
    local keys home
    home=$(getent passwd "$1" | cut -d: -f6)
    if [[ ! -d $home ]]; then make_home "$1" "$home"; fi
    keys=$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)/.ssh/authorized_keys
    if [[ -r $keys ]]; then
        # As the user, who may have put a link there; by rename, since other machines may do the same.
        runuser -u "$1" -- bash -c 'umask 077; mkdir -p "$1/.ssh"; new=$(mktemp "$1/.ssh/.keys.XXXXXX")
            cat >"$new" && mv -fT "$new" "$1/.ssh/authorized_keys"' bash "$home" <"$keys"
    fi
}

# make_home USER FOLDER: of machines that share it and come at once one makes it, whole.
make_home() {
    local new
    new=$(mktemp -d "$2.XXXXXX")
    cp -a /etc/skel/. "$new"
    chmod 700 "$new" # which cp made as /etc/skel is
    chown -R "$1:" "$new"
    # A folder that has something in it is not renamed over.
    if ! mv -T "$new" "$2" 2>/dev/null; then
        rm -rf "$new"
        [[ -d $2 ]]
    fi
}

# key_of SECRET: 128 bytes that only the secret decides.
key_of() {
    local sum
    read -r sum _ < <(printf %s "$1" | sha512sum)
    printf %s "$sum"
}

# start_munge: starts munged, or lets it read a new key.
start_munge() {
    enable munge.service
    if is_unread munge.key; then systemctl restart munge; else systemctl start munge; fi
    note_read munge.key
}
