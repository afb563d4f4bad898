#!/usr/bin/env bash
# Everything that must hold, fast checks first. Called by `make test`; needs Rust and a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }

step "the crate builds without any feature"
for feature in ""; do
  cargo check --quiet --no-default-features --features "$feature"
done

step "unit, integration and documentation tests, all features"
cargo test --quiet --all-features

step "API documentation builds"
cargo doc --quiet --all-features --no-deps

step "the example hosts with the official MCP client and curl"
scripts/clients.sh
