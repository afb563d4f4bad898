#!/usr/bin/env bash
# The example hosts, driven by clients from elsewhere: the official MCP client for Python and curl.
# Without what it needs it says so and is SKIPPED; with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
venv="$target/clients-venv"

skip() {
  printf '\n!! SKIPPED: scripts/clients.sh: %s\n!! install it: %s\n\n' "$1" "$2" >&2
  [[ "${CI:-}" == true ]] && exit 1
  exit 0
}

command -v curl >/dev/null || skip "curl is missing" "sudo apt-get install curl"
command -v python3 >/dev/null || skip "python3 is missing" "sudo apt-get install python3 python3-venv"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  skip "the MCP client needs Python 3.10 or later" "sudo apt-get install python3.11 python3.11-venv"
python3 -c 'import ensurepip, venv' 2>/dev/null ||
  skip "the venv module of python3 is missing" "sudo apt-get install python3-venv"

# Made anew when the wanted version changes; a half-made one has no mark.
if ! cmp -s tests/clients/requirements.txt "$venv/installed"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt ||
    skip "the MCP client could not be fetched from PyPI" "pip install -r tests/clients/requirements.txt"
  cp tests/clients/requirements.txt "$venv/installed"
fi

cargo build --quiet --all-features --example runstack --example allmcp --example issue
"$venv/bin/python" tests/clients/drive.py "$target/debug/examples" examples/policies
