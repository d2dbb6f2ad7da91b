# What other systems would refuse, as far as this one can tell. To be sourced by tools/check, whose functions it uses.

check_portable() {
  check "C code by Windows' compiler" c_code x86_64-w64-mingw32-gcc -c -o "$work/portable.o"
  check 'C code by clang' c_code clang -fsyntax-only
  check 'text files with an encoding' with_env ruff check --preview --select PLW1514 python/fitgenerator
  check "scripts in macOS's bash" bash_3
  check 'tests as on Windows' tests_elsewhere
}

# c_code COMPILER ARG ...: without a warning. (R's headers are this system's; macOS's own are not to be had.)
c_code() {
  local file
  if ! have "$1"; then
    say "check: there is no $1 here; left out"
    return
  fi
  for file in src/*.c; do
    "$@" -Wall -Wextra -Werror "-I$(Rscript --vanilla -e 'cat(R.home("include"))')" "$file" || return 1
  done
}

# What bash 3.2 and BSD's tools do not know, outside of comments.
bash_3() {
  local scripts=(tools/setup tools/test tools/demo tools/docs tools/check tools/bench tools/with-env tools/lib/*.sh)
  ! grep -nE '^[^#]*(\bmapfile|\breadarray|declare -A|local -n|\$\{[a-zA-Z_]+(,,|\^\^|@)|\bsort -V|xargs (-0 )?-r|\&>>)' \
    "${scripts[@]}" /dev/null | grep -v 'tools/lib/portable.sh'
}

# With what Windows lacks taken away: see tests/python/support/elsewhere.py. (R on Linux takes signals by jumps, which
# Windows's does not: of R, the tests O2 in test-promise-timeout.R have this difference, and no others.)
tests_elsewhere() {
  FITGENERATOR_ELSEWHERE=1 with_env python -m pytest -q -p no:cacheprovider tests/python/{host,prefetch} \
    tests/python/images/test_image_folders.py tests/python/promises/test_{ends,pulls}.py \
    tests/python/workers/test_executors.py
}
