# Runs one job as root. It comes over stdin, after its own length; so does all that it needs:
# the nonce of the end mark, the seconds allowed, the set-up (exports and the command, as shell text)
# and the archive of files, each of the last two after its length. Then stdin stays open: its end means
# that nobody waits for the job any more.
umask 077
IFS= read -r nonce && IFS= read -r limit || exit 125
IFS= read -r n && setup=$(head -c "$n") && IFS= read -r n || exit 125
base=/var/lib/isthmus
mkdir -p "$base" || exit 125
for old in "$base"/run.*; do
  pid=${old#"$base"/run.}
  kill -0 "${pid%%.*}" 2>/dev/null || rm -rf "$old"
done
dir=$(mktemp -d "$base/run.$$.XXXXXXXX") || exit 125
trap 'rm -rf "$dir"' EXIT
trap 'exit 125' HUP INT TERM
if ! { mkdir "$dir/files" && head -c "$n" | tar -xof - -C "$dir/files"; }; then
  echo "the files of the run cannot be written: $(df -Ph "$dir" | tail -n 1)" >&2
  exit 125
fi
exec 3<&0 </dev/null 4>&2
(
  umask 022
  cd "$dir/files" || exit 125
  eval "$setup"
  ISTHMUS_OUTPUTS=$dir/outputs
  export ISTHMUS_OUTPUTS
  exec setsid sh -c 'exec 9>/run/isthmus.lock && flock 9 && echo begin >&4 && exec 4>&- && "$@" 9>&-' sh "$@"
) 3<&- 2>&1 &
job=$!
(
  timeout "$limit" cat <&3
  kill -TERM "-$job"
  sleep 1
  kill -KILL "-$job"
) >/dev/null 2>&1 &
watch=$!
exec 3<&- 4>&-
wait "$job"
code=$?
trap '' PIPE
kill "$watch"
touch "$dir/outputs"
printf '\000%s %s %s\n' "$nonce" "$code" "$(head -c 1048577 "$dir/outputs" | wc -c | tr -d ' ')"
head -c 1048577 "$dir/outputs"
