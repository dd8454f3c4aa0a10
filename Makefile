# Strongroom's targets. All checkouts on a machine share one cache folder, so a second checkout does not build everything again.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/strongroom
HOST := $(shell rustc -vV | sed -n 's/^host: //p')

export STRONGROOM_CACHE := $(CACHE)
export CARGO_TARGET_DIR := $(CACHE)/target
# The restore tool as it is deployed: static, without RocksDB, gRPC or OpenSSL. A workspace build would unify features into it.
export STRONGROOM_RESTORE_BIN := $(CARGO_TARGET_DIR)/$(HOST)/release/strongroom-restore
# Suites start etcd clusters and servers. With two at a time, a two-core machine meets their deadlines.
export RUST_TEST_THREADS ?= 2

CARGO_FLAGS := --release --locked
# Copies of the programs, made right after their build: cargo test builds the server again, with the features of its tests.
PROGRAMS := $(CARGO_TARGET_DIR)/programs
keep_copies = mkdir -p $(PROGRAMS) && cp --remove-destination $(1) $(PROGRAMS)/
FUZZ_SECS ?= 600
MUTANTS ?= etcd-format pack-format packs objects gc authentication conditions restore-plan
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
E2E_PEERS := 3.4 3.5 3.6 3.7

.PHONY: help build binaries planted demo test check fmt clippy tidy docs deny peers clients units faults yardsticks soak compatibility bench bench-compare keep fuzz mutants unit quick compilers

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Checkouts share one target folder, and cargo detects changed sources by file time only. So after a build from another checkout,
# touch all sources here, so that our crates are rebuilt. Dependencies such as RocksDB are kept.
compilers:
	@[ -n "$(HOST)" ] || { echo "setup: no rustc in the PATH; install Rust: https://rustup.rs" >&2; exit 1; }
	@if [ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" != "$(CURDIR)" ]; then \
		find . -name '*.rs' -not -path './.git/*' -exec touch {} +; \
		mkdir -p $(CARGO_TARGET_DIR); \
		echo "$(CURDIR)" >$(CARGO_TARGET_DIR)/checkout; \
	fi
	@tests/setup/packages.sh build-essential clang libclang-dev protobuf-compiler libprotobuf-dev

build: binaries ## build the three programs into $(CARGO_TARGET_DIR)
	@echo "built: $(PROGRAMS)/strongroom-server"
	@echo "built: $(PROGRAMS)/strongroom"
	@echo "built: $(STRONGROOM_RESTORE_BIN) (static)"

binaries: compilers
	cargo build $(CARGO_FLAGS) --workspace --bins
	$(call keep_copies,$(addprefix $(CARGO_TARGET_DIR)/release/,strongroom-server strongroom))
	RUSTFLAGS=-Ctarget-feature=+crt-static cargo build $(CARGO_FLAGS) -p strongroom-restore --target $(HOST)
	$(call keep_copies,$(STRONGROOM_RESTORE_BIN))

# The server with planted bugs that tests can switch on. A workspace build, so that it links the same RocksDB.
planted: compilers
	cargo build $(CARGO_FLAGS) --workspace --bin strongroom-server-planted --features strongroom-server/testing
	$(call keep_copies,$(CARGO_TARGET_DIR)/release/strongroom-server-planted)

demo: build ## save a real 3-member etcd, lose it, restore it, compare; cleans up
	@tests/setup/etcd.sh 3.4
	$(CARGO_TARGET_DIR)/release/strongroom-demo

peers:
	@for minor in $(E2E_PEERS); do tests/setup/etcd.sh $$minor; done

clients:
	@tests/setup/python.sh

units:
	@tests/setup/packages.sh systemd
	@tests/setup/promtool.sh

# The fault suites trace system calls and inject faults into them, and simulate power cuts on loop-mounted images (as root).
faults:
	@tests/setup/packages.sh strace mount e2fsprogs xfsprogs

# The MD5 and SHA-256 that the benchmarks compare with.
yardsticks:
	@tests/setup/packages.sh openssl

test: build planted peers clients units faults yardsticks ## all tests: unit, format, end to end with real etcd and real S3 clients
	cargo test $(CARGO_FLAGS) --workspace --no-fail-fast

# The runs that docs/durability.md reports.
soak: build planted clients faults ## long runs of the fault suites, half an hour to an hour
	STRONGROOM_SIM_RUNS=20000 cargo test $(CARGO_FLAGS) --workspace --lib simulation -- --nocapture
	STRONGROOM_KILL_CYCLES=200 STRONGROOM_POWER_CYCLES=60 STRONGROOM_MIXED_SECS=600 STRONGROOM_LOAD_SECS=300 \
	STRONGROOM_ROT_FLIPS=2000 STRONGROOM_ROT_META_FLIPS=2500 STRONGROOM_RESTORE_ALL=1 \
		cargo test $(CARGO_FLAGS) --workspace --no-fail-fast --test kill --test power --test order --test mixed --test rot \
		--test broken_disk --test restore_faults --test load -- --nocapture

compatibility: build peers ## the boot matrix, about two minutes; rewrites the table in docs/compatibility.md
	STRONGROOM_WRITE_COMPATIBILITY=1 cargo test $(CARGO_FLAGS) --workspace --test restore_matrix

# Use an otherwise idle machine: docs/benchmarks.md. The working folder is in the cache, on the disk under test.
bench: build yardsticks ## all benchmarks, about half an hour on an idle machine; rewrites docs/benchmarks.md
	@tests/setup/etcd.sh 3.5
	@tests/setup/minio.sh
	$(CARGO_TARGET_DIR)/release/strongroom-bench all --json $(CACHE)/bench.json
	$(CARGO_TARGET_DIR)/release/strongroom-bench minio --json $(CACHE)/bench-minio.json
	$(CARGO_TARGET_DIR)/release/strongroom-bench page $(CACHE)/bench.json $(CACHE)/bench-minio.json

# To judge a restructuring: `make keep DIR=...` in a checkout of the earlier commit, then `make bench-compare` here.
bench-compare: build ## put, get, small, list and restore with the programs in BEFORE=DIR and of this tree, in turns; prints the ratios
	@tests/setup/etcd.sh 3.5
	$(CARGO_TARGET_DIR)/release/strongroom-bench compare --before $${BEFORE:?a folder that make keep filled}

keep: build ## copy the three programs into DIR=..., for bench-compare
	mkdir -p $${DIR:?a folder}
	cp $(addprefix $(PROGRAMS)/,strongroom-server strongroom strongroom-restore) $(DIR)/

# `make test` replays the seeds on stable Rust; this target searches for new inputs. Findings are in fuzz/artifacts: docs/fuzzing.md.
fuzz: compilers ## fuzz every target for FUZZ_SECS=600 seconds, one after another; FUZZ_TARGETS="wal xml" picks some
	@tests/setup/cargo-fuzz.sh
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target; \
		PATH=$(CACHE)/tools/bin:$$PATH CARGO_TARGET_DIR=$(CACHE)/target-fuzz cargo +nightly fuzz run --fuzz-dir fuzz $$target \
			fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECS) -rss_limit_mb=2048 -timeout=10 -max_len=16384 -print_final_stats=1; \
	done

# Hours for all. A run that was ended goes on where it stopped. Areas and files: tests/mutants.sh; results: docs/mutants.md.
mutants: compilers ## plant small mistakes, one by one, and tell which no fast test notices; MUTANTS="objects packs" picks areas, SHARD=0/4 a quarter
	@tests/setup/cargo-mutants.sh
	@for area in $(MUTANTS); do tests/mutants.sh $$area $(SHARD); done

# Without RocksDB and with less optimisation, because compile time dominates. CI runs `make test`.
quick: compilers ## fmt, tidy and links; with CRATE=etcd-format (store, server, client...) also that crate's unit tests; less than a minute
	cargo fmt --all --check
	cargo test $(CARGO_FLAGS) --workspace --test tidy
	$(if $(CRATE),cargo test --locked --profile quick -p strongroom-$(patsubst restore-tool,restore,$(CRATE)) --lib $(if $(filter store server,$(CRATE)),--no-default-features))

unit: compilers ## only the unit tests
	cargo test $(CARGO_FLAGS) --workspace --lib --bins

check: fmt clippy tidy docs deny ## fmt, clippy -D warnings, tidy, docs without warnings, cargo-deny (bans, licences, sources)

fmt:
	cargo fmt --all --check

clippy: compilers
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings

tidy: compilers
	cargo test $(CARGO_FLAGS) --workspace --test tidy

# The format library is also documentation: its byte tables include those of private modules.
docs: compilers
	RUSTDOCFLAGS=-Dwarnings cargo doc $(CARGO_FLAGS) -p strongroom-etcd-format --no-deps
	RUSTDOCFLAGS=-Dwarnings cargo doc $(CARGO_FLAGS) -p strongroom-etcd-format --no-deps --document-private-items

deny:
	@tests/setup/deny.sh
	$(CACHE)/tools/bin/cargo-deny --workspace check bans licenses sources
