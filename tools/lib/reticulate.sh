# reticulate 1.41 or newer: the system's, else from CRAN, else, where no CRAN mirror answers, its upstream source
# as the next Debian release carries it. The last adds nothing to the system: apt gets a source entry made from
# the machine's own, with the suite changed, and folders of its own. To be sourced after rlib.sh.

reticulate_wanted=1.41
next_suites=(trixie forky sid)

setup_reticulate() {
  local stamp=$rlib/.reticulate-stamp key
  key="$root $reticulate_wanted $(r_line)"
  is_done "$stamp" "$key" && return
  need_system
  if ! reticulate_is_there; then
    say "setup: installing reticulate into .rlib"
    reticulate_from_cran || reticulate_from_debian || fail "cannot get reticulate >= $reticulate_wanted: no CRAN mirror
  answers, and no next Debian release either. See $logs/reticulate-*.log, or install it by hand into .rlib:
  R CMD INSTALL --library=$rlib reticulate_<version>.tar.gz"
  fi
  echo "$key" >"$stamp"
}

reticulate_is_there() {
  R_LIBS=$rlib Rscript --vanilla -e 'there <- nzchar(system.file(package = "reticulate"))
    quit(status = !(there && packageVersion("reticulate") >= commandArgs(TRUE)))' "$reticulate_wanted" 2>/dev/null
}

# The configured mirror, or CRAN's own address; an index that does not come within seconds is no.
reticulate_from_cran() {
  mkdir -p "$logs"
  R_LIBS=$rlib within 600 Rscript -e 'options(timeout = 15)
    repos <- getOption("repos")
    if (!length(repos) || "@CRAN@" %in% repos) repos <- "https://cloud.r-project.org"
    index <- available.packages(repos = repos)
    if (!"reticulate" %in% rownames(index)) quit(status = 1)
    options(timeout = 300)
    install.packages("reticulate", lib = commandArgs(TRUE), repos = repos, available = index)' \
    "$rlib" >"$logs/reticulate-cran.log" 2>&1 </dev/null && reticulate_is_there
}

reticulate_from_debian() {
  local work suite status=1
  on_debian || return 1
  work=$(mktemp -d)
  chmod 755 "$work" # apt reads with a user of its own
  for suite in "${next_suites[@]}"; do
    mkdir -p "$work/$suite"
    if (cd "$work/$suite" && reticulate_from_suite "$suite") >"$logs/reticulate-$suite.log" 2>&1 </dev/null &&
      reticulate_is_there; then
      status=0
      break
    fi
  done
  rm -rf "$work"
  return "$status"
}

# reticulate_from_suite SUITE: in the current folder. That only .orig.tar is needed, a failing download of the
# other two files does not matter.
reticulate_from_suite() {
  local own=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/parts"
    -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache")
  mkdir -p parts lists/partial cache/archives/partial
  source_entry "$1" >parts/next.sources || return 1
  apt-get "${own[@]}" update || return 1
  apt-get "${own[@]}" source --download-only r-cran-reticulate || true
  tar -xf r-cran-reticulate_*.orig.tar.* || return 1
  R_LIBS=$rlib R CMD INSTALL --library="$rlib" "$(dirname ./*/DESCRIPTION)"
}

# The address from which this machine has its release's main component.
debian_mirror() {
  local release
  release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $release" 'Component: main' | sed -n 1p
}

# source_entry SUITE: the machine's own entry for its release's main component, as a source entry for SUITE.
source_entry() {
  local uri
  uri=$(debian_mirror)
  [ -n "$uri" ] || return 1
  printf '%s\n' 'Types: deb-src' "URIs: $uri" "Suites: $1" 'Components: main'
  signed_by "${uri%/}"
}

# signed_by URI: the key that the machine's entry for URI names, if any, from .sources or one-line files.
signed_by() {
  local key
  key=$(find /etc/apt/sources.list.d -name '*.sources' -exec cat {} \; -exec echo \; | signed_by_paragraph "$1")
  [ -n "$key" ] ||
    key=$(find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -exec cat {} + 2>/dev/null |
      grep -F -- "$1" | sed -n 's/^deb .*signed-by=\([^] ]*\).*/Signed-By: \1/p' | sed -n 1p)
  [ -z "$key" ] || printf '%s\n' "$key"
}

# The field goes on over lines that begin with a blank when it holds the key itself.
signed_by_paragraph() {
  awk -v uri="$1" 'BEGIN { RS = "" }
    !found && (index($0, uri "\n") || index($0, uri "/\n")) {
      n = split($0, line, "\n")
      for (i = 1; i <= n; i++) {
        if (line[i] ~ /^[^ \t#]/) on = (line[i] ~ /^Signed-By:/)
        if (on) { print line[i]; found = 1 }
      }
    }'
}
