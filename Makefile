# One command each: see README.md. Everything runs on loopback and cleans up after itself.

CARGO ?= cargo
FEATURES = --all-features

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint docs fuzz soak mutants deny tools

help: ## these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

demo: ## the whole engine at work on four example hosts, in words
	@$(CARGO) build --quiet $(FEATURES) --example runstack --example mcpstack --example runtype --example allmcp --example demo
	@$(CARGO) run --quiet $(FEATURES) --example demo

test: lint ## everything that must hold
	scripts/test.sh

lint: ## formatting, and clippy with the lints that Cargo.toml denies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet $(FEATURES) --all-targets

bench: ## the figures of docs/performance.md, as ratios within one run
	$(CARGO) bench $(FEATURES) --bench figures

docs: ## API documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(FEATURES) --no-deps

fuzz: ## the fuzz targets on their stable, seeded driver: TENANTKIT_FUZZ_INPUTS=1000000 for a long run
	$(CARGO) test --release --test fuzz_bounded

soak: ## the process, crash and model tests at full length
	TENANTKIT_LONG=1 $(CARGO) test --release $(FEATURES)

mutants: ## mutation testing of the deciding modules (needs cargo-mutants)
	$(CARGO) mutants --file 'src/tenant/**' --file 'src/permission/**' --file 'src/limit/**' --file 'src/key/**' -- --lib

deny: ## licences and sources of all dependencies (needs cargo-deny)
	$(CARGO) deny check
