# What every script in tools/ shares: where the repository is, how to speak, how to run something noisy,
# and how to tell whether a step has been done before. To be sourced; $root is set here. The scripts run with bash 3.2
# and BSD's tools, which macOS has; tools/setup and tools/test are written for Windows, too.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
logs=$root/.setup-log

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "${0##*/}: $*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

on_macos() { [ "$(uname -s)" = Darwin ]; }

# In the bash of Git for Windows, which the workflows use there.
on_windows() { case $(uname -s) in MINGW* | MSYS*) ;; *) return 1 ;; esac; }

# within SECONDS CMD ...: the command, ended after so long where the system has the means
within() {
  if have timeout; then timeout "$@"; else "${@:2}"; fi
}

r_line() { R --version 2>&1 | sed -n 1p || true; }

# logged NAME CMD ...: run CMD with its output in a log file; show the end of it on failure.
logged() {
  local log=$logs/$1.log status=0
  shift
  mkdir -p "$logs"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    say "${0##*/}: '$*' failed with status $status; the whole log is in $log"
  fi
  return "$status"
}

# fingerprint PATH ... [-- WORD ...]: one hash of the files under the paths, links followed, and of the words.
fingerprint() {
  local paths=() sum=(sha256sum)
  have sha256sum || sum=(shasum -a 256)
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    [ ! -e "$root/$1" ] || paths+=("$1")
    shift
  done
  {
    printf '%s\n' "$root" "$@"
    cd "$root" && find -L "${paths[@]}" -type f "${junk[@]}" -print0 | LC_ALL=C sort -z | xargs -0 "${sum[@]}" /dev/null
  } | "${sum[@]}" | cut -c 1-64
}

# Files that no package wants: find's expression that leaves them out.
junk=(-not -path '*/__pycache__/*' -not -name '*.py[cod]' -not -name '*.o' -not -name '*.so')

is_done() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
