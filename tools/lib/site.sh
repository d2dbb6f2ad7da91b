# The web pages: site/ is that of the R package (pkgdown), site/python/ that of the Python package (Sphinx). What builds
# them is installed here and not by tools/setup, because nothing else needs it. To be sourced after common.sh.

source "$root/tools/lib/system.sh"
source "$root/tools/lib/python.sh"

site=$root/site

# build_site all|r|python
build_site() {
  case $1 in
    all | r | python) ;;
    *) fail "unknown argument '$1'; usage: tools/docs site [r|python]" ;;
  esac
  "$root/tools/setup"
  mkdir -p "$site"
  [ "$1" = python ] || build_r_pages
  [ "$1" = r ] || build_python_pages
  say "docs: open $site/index.html"
}

build_r_pages() {
  local source status=0
  r_packages=(pkgdown)
  need_system
  source=$(mktemp -d)
  (cd "$root" && git ls-files -z --cached --others --exclude-standard -- DESCRIPTION NAMESPACE LICENSE LICENSE.md \
    NEWS.md README.md SECURITY.md _pkgdown.yml pkgdown R bench/README.md data docs examples man vignettes |
    tar --null --files-from=- -cf -) | tar -C "$source" -xf -
  # pkgdown makes pages of what lies in the root
  mv "$source/docs/contributing.md" "$source/CONTRIBUTING.md"
  for page in "$source"/docs/design/*.md; do
    mv "$page" "$source/DESIGN-$(basename "$page")"
  done
  mv "$source/bench/README.md" "$source/BENCHMARKS.md"
  mv "$source/docs/installing.md" "$source/INSTALLING.md"
  mv "$source/docs/versions.md" "$source/VERSIONS.md"
  say 'docs: pages of the R package (minutes: examples and vignettes train models)'
  logged site-r "$root/tools/with-env" Rscript "$root/tools/lib/site.R" "$source" "$source/site" || status=$?
  if [ "$status" -eq 0 ]; then # pages from before go, but for Python's
    find "$site" -mindepth 1 -maxdepth 1 -not -name python -exec rm -rf {} +
    cp -R "$source/site/." "$site"
  fi
  rm -rf "$source"
  [ "$status" -eq 0 ] || fail 'pkgdown failed.'
}

build_python_pages() {
  "$venv_python" -c 'import sphinx, furo, myst_parser' 2>/dev/null ||
    logged pip-docs "$venv_python" -m pip install --disable-pip-version-check --editable "${root}[docs]" ||
    fail 'pip failed.'
  say 'docs: pages of the Python package'
  logged site-python "$root/tools/with-env" python -m sphinx --fail-on-warning --keep-going --fresh-env -b html \
    -d "$root/build/sphinx" "$root/docs/python" "$site/python" || fail 'Sphinx failed.'
}
