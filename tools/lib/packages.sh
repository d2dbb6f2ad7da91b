# What users install: made of an export of the sources, and tested where the checkout is not. To be sourced after
# common.sh; $work is a folder for all of it.

with_env() { "$root/tools/with-env" "$@"; }

# export_to FOLDER: the files that git knows or would add, as they are in the working tree.
export_to() {
  mkdir -p "$1"
  git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do
      if [ -e "$file" ]; then printf '%s\0' "$file"; fi
    done | tar --null --files-from=- -cf - | tar -C "$1" -xf -
}

# build_wheel SOURCES DIST: the sdist, and the wheel of it.
build_wheel() {
  with_env python -m build --no-isolation --outdir "$2" "$1" >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log" >&2
    return 1
  }
}

# Some of the tests on the wheel, in an environment outside the checkout, with the tests of the sdist. Its dependencies
# are those of .venv, which is named in a .pth file; of .venv's own such files, the checkout's among them, Python takes
# no notice then.
installed_wheel() {
  mkdir -p "$1"
  export_to "$1/source"
  build_wheel "$1/source" "$1/dist" && install_wheel "$1/venv" "$1"/dist/*.whl &&
    tar -C "$1" -xzf "$1"/dist/*.tar.gz && test_wheel "$1/venv/bin/python" "$1"/fitgenerator-*/
}

# install_wheel VENV WHEEL
install_wheel() {
  local where='import sysconfig; print(sysconfig.get_path("purelib"))' site
  with_env python -m venv --without-pip "$1" && site=$("$1/bin/python" -c "$where") &&
    with_env python -c "$where" >"$site/dependencies.pth" &&
    with_env python -m pip install --disable-pip-version-check -q --no-deps --target "$site" "$2"
}

# test_wheel PYTHON SOURCES
test_wheel() {
  rm -rf "$2/python" # what is tested is what was installed
  (
    export KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3
    cd "$2" && "$1" -c 'import sys, fitgenerator; assert fitgenerator.__file__.startswith(sys.prefix), sys.path' &&
      "$1" -m pytest -q -p no:cacheprovider tests/python/test_legacy_arguments.py \
        tests/python/{batches/test_structure,prefetch/test_prefetcher,promises/test_user_types}.py
  )
}

# Of $work/fitgenerator, an export, into $work.
build_package() { (cd "$work" && with_env R CMD build fitgenerator); }

# As --as-cran, without what needs the network or a LaTeX installation: $not_checked. The vignettes have just been
# knitted, and tools/test runs the tests, on the installed package too.
not_checked='the name, the maintainer and the addresses as CRAN sees them, references to pages of packages that are not
  installed, the system clock by the network, and the manual as PDF'
check_package() {
  local status=0
  (
    cd "$work"
    export _R_CHECK_CRAN_INCOMING_=FALSE _R_CHECK_FORCE_SUGGESTS_=FALSE _R_CHECK_SYSTEM_CLOCK_=FALSE
    export _R_CHECK_PACKAGE_DEPENDS_IGNORE_MISSING_ENHANCES_=TRUE
    export _R_CHECK_XREFS_USE_ALIASES_FROM_CRAN_=FALSE _R_CHECK_CRAN_INCOMING_REMOTE_=FALSE R_DEFAULT_INTERNET_TIMEOUT=10
    with_env R CMD check --as-cran --no-manual --no-vignettes --no-tests fitgenerator_*.tar.gz
  ) || status=$?
  if grep -q '^Status:.*\(ERROR\|WARNING\)' "$work/fitgenerator.Rcheck/00check.log"; then status=1; fi
  [ "$status" -eq 0 ] || keep_logs
  return "$status"
}

# Some of the tests on the package as R CMD check has installed it from the tarball, with the Python core in it.
installed_tarball() { test_package "$work/fitgenerator.Rcheck" with_env; }

# test_package LIBRARY [CMD ...]: by CMD, which runs another command.
test_package() {
  NOT_CRAN=true FITGENERATOR_LIB=$1 "${@:2}" Rscript tools/lib/testthat.R '^(batch-convert|promise-keras-versions)$'
}

keep_logs() {
  rm -rf "$logs/fitgenerator.Rcheck"
  cp -R "$work/fitgenerator.Rcheck" "$logs/" && say "${0##*/}: logs are in $logs/fitgenerator.Rcheck"
  find "$work/fitgenerator.Rcheck" -name '*.Rout.fail' -exec tail -n 60 {} + >&2
}
