# Environments of other backends than TensorFlow, which is not in them: .venv-jax, .venv-torch. To be sourced after
# common.sh.
source "$root/tools/lib/python.sh"

# setup_backend NAME: an environment without TensorFlow, and a Python that R can load.
setup_backend() {
  local home=$root/.venv-$1 wanted
  wanted=$(fingerprint pyproject.toml tools/lib/backends.sh)
  is_done "$home/done" "$wanted" && return
  find_python
  logged backends "$python" -m venv "$home"
  [ "$1" != torch ] || install_torch "$home"
  logged backends "$home/bin/python" -m pip install "${root}[$1]" hypothesis pandas pytest pytest-timeout scipy \
    "$(rpy2_requirement)"
  logged backends "$home/bin/python" -m pip uninstall --yes fitgenerator
  printf '%s\n' "$wanted" >"$home/done"
}

# install_torch HOME: the build for the CPU alone, where an index has it; the other one takes some GB.
install_torch() {
  local pip=("$1/bin/python" -m pip install) cpu=torch==2.13.0+cpu
  if ! on_macos; then
    "${pip[@]}" "$cpu" >/dev/null 2>&1 && return
    "${pip[@]}" --extra-index-url https://download.pytorch.org/whl/cpu "$cpu" >/dev/null 2>&1 && return
  fi
  logged backends "${pip[@]}" torch
}

# on_backend NAME CMD ...: a command with that environment in place of the one with TensorFlow.
on_backend() {
  local home=$root/.venv-$1
  (cd "$root" && tools/with-env env "KERAS_BACKEND=$1" "PYTHONPATH=$root/python" "RETICULATE_PYTHON=$home/bin/python" \
    "VIRTUAL_ENV=$home" "PATH=$home/bin:$PATH" FITGENERATOR_OTHER_PYTHON="$venv/bin/python" NOT_CRAN=true "${@:2}")
}
