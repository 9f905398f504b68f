# Everything a newcomer and CI need. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PACKAGE := build/package
export COMPOSER_ALLOW_SUPERUSER := 1
# End-to-end tests wait for processes, servers and timeouts more than they compute.
LANES := $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) * 2 )))

.PHONY: help setup build package demo test test-rust test-phpt test-php test-e2e test-matrix test-newer soak fuzz tools lint format bench clean

help: ## this text
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install what is missing on this machine
	@scripts/setup

build: setup ## compile library, binary, helper, extension and tools (release)
	cargo build --release -p allegro --no-default-features
	install -m 0755 target/release/allegro target/release/allegro-helper
	cargo build --release --workspace

package: build ## lay out the Composer package with its native parts in build/package
	@scripts/package $(PACKAGE)

demo: package ## show the main job: plain Composer against Allegro on a real lock
	@scripts/demo

test: package test-rust test-phpt test-php test-e2e ## every test

test-rust: setup ## tests of the library and the tools
	cargo test --workspace --lib --bins
	cargo test --test cli --test json --test layers --test protocol --test scanner --test semver

test-phpt: build ## tests of the extension with PHP's own runner
	@scripts/phpt

test-php: package ## tests of the plugin with PHPUnit
	@scripts/phpunit

test-e2e: package ## installs by the real Composer, with and without Allegro, compared
	cargo test --test damages --test e2e --no-run
	RUST_TEST_THREADS=$(LANES) scripts/scratch 24G sh -c 'ALLEGRO_TEST_DIR=$$SCRATCH exec cargo test --test damages --test e2e'
	cargo test -p allegro-registry --tests

test-matrix: package ## the end-to-end tests with other PHPs and Composers, built or debootstrapped once
	@scripts/test-matrix

# What depends on what Composer says and does, and on how PHP unpacks.
NEWER := archives:: autoload:: changes:: commands:: credentials:: editions:: listeners:: native:: neighbours::packages_ observers:: \
	random:: repositories:: resolve:: situations:: small:: terminal:: times:: unpackers:: update_native::

test-newer: package ## the end-to-end tests in which versions matter, with the PHP and Composer of Debian trixie
	@RUST_TEST_THREADS=$(LANES) scripts/scratch 16G sh -c 'ALLEGRO_TEST_DIR=$$SCRATCH exec scripts/test-matrix trixie -- $(NEWER)'

soak: package ## long rounds: random projects, registries and damaged stores, every file system and link method
	@scripts/soak

FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= zip tar manifest import records outline metadata constraint scanner request

fuzz: ## fuzz the readers with libFuzzer, FUZZ_SECONDS for each of FUZZ_TARGETS (nightly, cargo-fuzz)
	@scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

tools: setup ## install the lints that Debian does not have: mago and cargo-deny (some minutes, once)
	@scripts/tools

lint: setup ## format check and lints of all languages
	@scripts/lint

format: ## format the Rust code
	cargo fmt --all

bench: package ## ratios against Composer, as a table and as JSON (build/bench.json), and curves (build/bench-growth.svg)
	@scripts/bench

clean: ## remove everything that was built
	rm -rf build target
