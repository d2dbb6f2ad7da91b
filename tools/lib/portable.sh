# What other systems would refuse, as far as this one can tell. To be sourced by tools/check, whose functions it uses.

check_portable() {
  check "C code by Windows' compiler" c_code x86_64-w64-mingw32-gcc -c -o "$work/portable.o"
  check 'C code by clang' c_code clang -fsyntax-only
  check 'text files with an encoding' with_env ruff check --preview --select PLW1514 python tests/python examples
  check "scripts in macOS's bash" bash_3
  check 'nothing of one system alone' nothing_of_one_system
  check 'Python tests as on Windows' tests_elsewhere
  check 'R tests as on Windows' r_tests_elsewhere
}

# The package's Python and R fork nothing, and ask neither fcntl nor /proc; but a lock on a file has a way on each system.
nothing_of_one_system() {
  ! grep -rnE '^[^#]*(\bfcntl\b|\bos\.fork\(|"/proc)' python/fitgenerator R --include='*.py' --include='*.R' --exclude=lock.py
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
  local scripts=(tools/{setup,test,demo,docs,check,bench,matrix,release,with-env} tools/lib/*.sh)
  ! grep -nE '^[^#]*(\bmapfile|\breadarray|declare -A|local -n|\$\{[a-zA-Z_]+(,,|\^\^|@)|\bsort -V|xargs (-0 )?-r|\&>>)' \
    "${scripts[@]}" /dev/null | grep -v 'tools/lib/portable.sh'
}

# elsewhere CMD ...: every Python that runs in it is as on Windows: see tests/python/support/elsewhere.
elsewhere() {
  PYTHONPATH=$root/tests/python/support/elsewhere${PYTHONPATH:+:$PYTHONPATH} PYTHONUTF8=0 with_env "$@"
}

# in_code_page CMD ...: in a locale of Windows' code page for English, as far as this system can make one.
in_code_page() {
  local locales=$work/locales name=en_US.CP1252
  if [ -d "$locales" ] || { mkdir "$locales" && localedef -i en_US -f CP1252 --no-archive "$locales/$name"; } 2>/dev/null; then
    LOCPATH=$locales LC_ALL=$name "$@"
  else
    say 'check: there is no locale of code page 1252 to be had; left out'
    "$@"
  fi
}

tests_elsewhere() {
  in_code_page elsewhere python -m pytest -q -p no:cacheprovider tests/python/{host,prefetch} \
    tests/python/images/test_image_folders.py tests/python/promises/test_{ends,pulls}.py \
    tests/python/workers/test_executors.py
}

# (R itself is UTF-8 on Windows, from R 4.2.)
r_tests_elsewhere() {
  NOT_CRAN=true elsewhere Rscript tools/lib/testthat.R '^(checkpoint|flow-data|promise-timeout)$'
}
