# What the system has to provide: R with a compiler, R packages, pandoc, a shared Python. To be sourced.
# On Debian and Ubuntu, as root, what is missing is installed through apt; elsewhere it is named. Uses python.sh.

r_packages=(
  DBI Matrix RSQLite Rcpp RcppTOML callr cli future generics ggplot2 globals here iterators jsonlite knitr lintr
  parallelly png rappdirs rlang rmarkdown roxygen2 testthat tibble withr
)
build_commands=(R cc c++ make ar)
if on_windows; then build_commands=(R gcc g++ make ar); fi # those of Rtools
# Libraries that R is linked with and that rpy2's extension therefore names.
build_libraries=(tirpc pcre2-8 lzma bz2 z icuuc)

on_debian() { have apt-get && have dpkg-query; }

# Debian's names of the system packages that are not there, one a line.
missing_system() {
  local name
  for name in "${build_commands[@]}"; do
    have "$name" || printf '%s\n' r-base-core r-base-dev
  done
  have pandoc || echo pandoc
  on_windows || have ps || echo procps # tests look for processes that are left
  if on_debian; then # for tools/check
    have qpdf || echo qpdf # R CMD check --as-cran wants it,
    have checkbashisms || echo devscripts # and this, where there is a configure script
  fi
  find_python || printf '%s\n' python3 python3-venv python3-dev
  missing_libraries
  missing_r_packages
}

missing_libraries() {
  local name flags
  if on_windows; then return; fi
  if ! have R || ! have cc; then
    echo libtirpc-dev
    return
  fi
  flags=$(R CMD config --ldflags)
  for name in "${build_libraries[@]}"; do
    case " $flags " in *" -l$name "*) links "$name" || debian_library "$name" ;; esac
  done
}

# Into a file of its own: as root, a linker that removes its output would remove /dev/null.
links() {
  local out status=0
  out=$(mktemp)
  echo 'int main(void) { return 0; }' | cc -x c -o "$out" - "-l$1" 2>/dev/null || status=1
  rm -f "$out"
  return "$status"
}

debian_library() {
  case $1 in
    tirpc) echo libtirpc-dev ;;
    pcre2-8) echo libpcre2-dev ;;
    lzma) echo liblzma-dev ;;
    bz2) echo libbz2-dev ;;
    z) echo zlib1g-dev ;;
    icuuc) echo libicu-dev ;;
  esac
}

missing_r_packages() {
  if have Rscript; then
    Rscript --vanilla -e 'want <- commandArgs(TRUE)
      has <- nzchar(vapply(want, function(p) system.file(package = p), ""))
      writeLines(want[!has])' "${r_packages[@]}"
  else
    printf '%s\n' "${r_packages[@]}"
  fi | tr '[:upper:]' '[:lower:]' | sed 's/^/r-cran-/'
}

# need_system: see to it that everything is there, or say what is not.
need_system() {
  local missing
  missing=$(missing_system | sort -u | xargs)
  [ -n "$missing" ] || return 0
  install_system "$missing"
  hash -r
  missing=$(missing_system | sort -u | xargs)
  [ -z "$missing" ] || fail "still missing after the installation: $missing$(refused_pythons)"
}

# install_system "NAME ...": through apt as root, else fail with the names.
install_system() {
  if ! on_debian; then
    fail "this system lacks (Debian's names): $1. Install them and run tools/setup again.$(refused_pythons)"
  elif [ "$(id -u)" -ne 0 ]; then
    fail "missing system packages. Run: sudo apt-get install $1$(refused_pythons)"
  fi
  say "setup: installing system packages: $1"
  logged apt-update apt-get update -qq || fail "apt-get update failed."
  # shellcheck disable=SC2086 # the names are to be split
  DEBIAN_FRONTEND=noninteractive logged apt-install apt-get install -y -qq --no-install-recommends $1 ||
    fail "apt-get install failed."
}

refused_pythons() {
  find_python || printf '\nNeeded: Python 3.10 or newer, built with --enable-shared, with headers and venv.%s' "$refused"
}
