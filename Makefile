# The menu. Every target does its own set-up.

# One codegen unit, so that what is inlined does not hang on where else something was added: else
# the profile of `make tour`, whose dependencies it shares.
COUNTED = --release --config 'profile.release.package.t8gate.codegen-units=1' \
	--package t8gate-micro --bin counts
COUNTS = cargo run $(COUNTED) --

.PHONY: bench bench-check bench-counts bench-micro build build-checked demo fuzz help lint mutants setup test test-fault test-fips test-scale test-spec test-tls tour

help: ## shows this menu
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

bench-check: setup ## counts each room's instructions: 1 where one grew by more than 5 %
	$(COUNTS) check

bench-counts: setup ## writes the table of instructions that bench-check compares with
	$(COUNTS) write

bench-micro: ## times each room, by criterion
	cargo bench --package t8gate-micro --bench rooms

build: ## builds the gateway as it is run, and t8load beside it
	cargo build --release --workspace --bins

build-checked: ## builds what tour and bench-check run
	cargo build --release
	cargo build $(COUNTED)

demo: ## shows it all on this machine: keys in a token, two clients, a tour, lines for curl
	tests/demo-setup
	cargo build --release
	"$${CARGO_TARGET_DIR:-target}/release/t8gate" demo

tour: ## the same without staying up: 0 when all is as expected, else 1
	tests/demo-setup
	cargo build --release
	"$${CARGO_TARGET_DIR:-target}/release/t8gate" demo --tour-only

bench: ## runs the gateway and its rivals side by side (QUICK=1: under three minutes)
	benches/setup
	cargo build --profile bench -p t8gate -p t8load
	cargo build --profile bench -p t8gate-micro --bin tokens
	cargo build --release -p t8bench
	"$${CARGO_TARGET_DIR:-target}/release/t8bench" --target "$${CARGO_TARGET_DIR:-target}" $(if $(QUICK),--quick) $(BENCH)

test: setup ## runs every test, and compares their number with tests/expected-count
	tests/run

# Those that mostly wait for a login do so side by side; the others go by how soon a key is back.
LOGINS = late_logins lost_logins one_signature
FAULT = cargo test --test fault -- --ignored --nocapture

test-fault: setup ## breaks a remote token under load, in minutes (T8GATE_FAULT_PAIRS=7: measures, too)
	cargo build --package t8load
	$(FAULT) --test-threads=4 $(LOGINS)
	$(FAULT) --test-threads=1 $(LOGINS:%=--skip %) $(if $(T8GATE_FAULT_PAIRS),,--skip latency::)

# In a directory of its own: with the feature all that uses cryptography is built anew.
FIPS = CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-target}/fips" cargo test --features fips

test-fips: ## builds with the FIPS module (minutes, the first time), and shows that it is what serves
	tests/setup fips
	$(FIPS) --lib -- tls::
	$(FIPS) --test live -- --ignored fips::

test-tls: ## has testssl.sh, sslscan and sslyze look at a listener, and holds their findings
	tests/setup tls
	cargo test --test live -- --ignored scanners::

test-scale: ## a million revoked certificates, twenty million UEs: what they cost, how soon they bite
	cargo test --release --test scale -- --ignored --nocapture million_revoked
	cargo test --release --test scale -- --ignored --nocapture --test-threads 1 clients::
	cargo test --release --test scale -- --ignored --nocapture ue_sets::
	cargo build --release --package t8load
	cargo test --release --test scale -- --ignored --nocapture revocation::

test-spec: setup ## compares the table with 3GPP's OpenAPI files, plants IMSIs by them: OPENAPI=FOLDER
	cargo build --package t8gate
	"$${CARGO_TARGET_DIR:-target}/tools/spec/bin/python" tests/spec/apis.py "$(OPENAPI)" \
		"$${CARGO_TARGET_DIR:-target}/debug/t8gate"
	cargo build --release --package t8gate-micro --bin judge
	"$${CARGO_TARGET_DIR:-target}/tools/spec/bin/python" tests/spec/plant.py "$(OPENAPI)" \
		"$${CARGO_TARGET_DIR:-target}/release/judge"
	cargo test --package t8gate --lib -- --ignored hundred_thousand_legitimate_messages_pass

mutants: ## changes the rules of trust one place at a time: a test must notice (hours; SHARD=k/n)
	tests/mutants/run

fuzz: ## throws octets at each parser of TLS and certificates (FUZZ_SECONDS=600 for each)
	fuzz/run

lint: ## formatting, clippy and documentation, warnings refused
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

setup: ## installs the programs that tests need (Debian, Ubuntu), or names them
	tests/setup
