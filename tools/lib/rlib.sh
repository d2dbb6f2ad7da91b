# The R library: .rlib with this package and, where the system's is missing or too old, reticulate.
# To be sourced after common.sh and system.sh.

rlib=$root/.rlib
package_parts=(DESCRIPTION NAMESPACE LICENSE R configure configure.win data inst man src)

# stage_package FOLDER: what R CMD INSTALL is to see, with inst/python in place of the link and nothing compiled.
stage_package() {
  local part parts=()
  for part in "${package_parts[@]}"; do
    [ ! -e "$root/$part" ] || parts+=("$part")
  done
  mkdir -p "$1"
  tar -C "$root" --dereference --exclude='__pycache__' --exclude='*.py[cod]' --exclude='*.o' --exclude='*.so' \
    -cf - "${parts[@]}" | tar -C "$1" -xf -
}

package_key() { fingerprint "${package_parts[@]}" tools/lib/rlib.sh -- "$(r_line)"; }

setup_package() {
  local stamp=$rlib/.fitgenerator-stamp key stage status=0
  key=$(package_key)
  [ -d "$rlib/fitgenerator" ] && is_done "$stamp" "$key" && return
  [ -e "$root/NAMESPACE" ] || fail "there is no NAMESPACE; run tools/docs."
  say "setup: installing the R package into .rlib"
  rm -f "$stamp"
  stage=$(mktemp -d)
  stage_package "$stage/fitgenerator"
  logged r-package env R_LIBS="$rlib" RETICULATE_PYTHON="$venv_python" \
    R CMD INSTALL --library="$rlib" "$stage/fitgenerator" || status=$?
  rm -rf "$stage"
  [ "$status" -eq 0 ] || fail "R CMD INSTALL of this package failed."
  echo "$key" >"$stamp"
}

setup_rlib() {
  mkdir -p "$rlib"
  setup_reticulate
  [ "${1-}" = deps ] || setup_package
}
