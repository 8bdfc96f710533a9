# Shows, makes and releases the claim of a host. The claim is a folder that appears and vanishes by one rename,
# so it is whole or absent. $1 is the verb; what it needs comes on standard input, a value a line.
set -eu
umask 077
base=/var/lib/isthmus
claim=$base/claim

# Prints the state, and for a claim its name and its body.
show() {
  if [ -z "$(ls -A "$claim" 2>/dev/null)" ]; then
    echo free
    return
  fi
  if [ -e "$claim/ready" ]; then echo ready; else echo pending; fi
  echo "$(cat "$claim/name" 2>/dev/null)"
  cat "$claim/claim.json" 2>/dev/null || :
}

keys_file() {
  user=${SUDO_USER:-$(id -un)}
  home=$(getent passwd "$user" | cut -d: -f6)
  [ -d "$home" ] || { echo "user $user has no home directory" >&2; exit 1; }
  keys=$home/.ssh/authorized_keys
}

make_stage() {
  find "$base" -maxdepth 1 -name '.claim.*' -mmin +60 -exec rm -rf {} +
  stage=$(mktemp -d "$base/.claim.XXXXXX")
  trap 'rm -rf "$stage"' EXIT
}

is_ours() {
  [ "$(cat "$claim/name" 2>/dev/null)" = "$name" ]
}

make_claim() {
  make_stage
  printf '%s\n' "$name" >"$stage/name"
  printf '%s\n' "$value" >"$stage/claim.json"
  sync "$stage/name" "$stage/claim.json" 2>/dev/null || :
  # Renaming onto a folder that holds anything fails: that is what makes the claim exclusive.
  if ! said=$(mv -T "$stage" "$claim" 2>&1); then
    [ -e "$claim/name" ] || { echo "$said" >&2; exit 1; }
    # A claim of ours without its body was cut off by a crash of the host: complete it.
    if is_ours && ! [ -s "$claim/claim.json" ]; then mv "$stage/claim.json" "$claim/claim.json"; fi
  fi
}

add_key() {
  is_ours || return 0
  keys_file
  mkdir -p "$home/.ssh"
  if ! grep -qxF -e "$value" "$keys" 2>/dev/null; then
    # A last line without its newline would swallow ours.
    if [ -s "$keys" ] && [ -n "$(tail -c 1 "$keys")" ]; then echo >>"$keys"; fi
    printf '%s\n' "$value" >>"$keys"
  fi
  chown "$user:" "$home/.ssh" "$keys"
  : >"$claim/ready"
}

release() {
  is_ours || return 0
  keys_file
  if grep -q -e " $name\$" "$keys" 2>/dev/null; then
    cp -p "$keys" "$keys.$$"
    grep -v -e " $name\$" "$keys" >"$keys.$$" || :
    mv "$keys.$$" "$keys"
  fi
  make_stage
  mv -T "$claim" "$stage"
}

# Whoever only wants to be shown something sends nothing, not even an end.
[ "$1" = show ] || IFS= read -r name
case $1 in claim | key) IFS= read -r value ;; esac
if [ "$1" = claim ]; then mkdir -p "$base"; fi
# One at a time, once all is read: what a verb sees of the claim is still so when it acts on it, and none is seen half gone.
if [ -d "$base" ]; then
  exec 9<"$base"
  flock 9
fi
case $1 in
  show) ;;
  claim) make_claim ;;
  key) add_key ;;
  release) release ;;
  *) echo "no verb $1" >&2; exit 2 ;;
esac
show
