# The menu. Every target does its own set-up.

.PHONY: help build lint setup test

help: ## shows this menu
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

build: ## builds the gateway as it is run
	cargo build --release

test: setup ## runs every test, and compares their number with tests/expected-count
	tests/run

lint: ## formatting, clippy and documentation, warnings refused
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

setup: ## installs the programs that tests need (Debian, Ubuntu), or names them
	tests/setup
