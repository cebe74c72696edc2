# The project's vocabulary. `make help` lists it; every CI step is one of these.
#
# Two cargo workspaces: this folder's (off chain, target/) and programs/ (on chain, programs/target/). Their
# lockfiles cannot be one, hence they share no artefact and a common folder would only make them wait for each
# other. The sBPF build has target/sbpf-*/ for the same reason: another compiler.

include scripts/versions.env
export ASSAY_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/assay
export ORT_DYLIB_PATH ?= $(ASSAY_CACHE)/onnxruntime-$(ORT_VERSION)/libonnxruntime.so.$(ORT_VERSION)

# auto, upstream or platform-tools: see scripts/build-program.sh
SBF ?= auto
export SBF

# Always built as one workspace: `--package` would choose other features of the dependencies and build them again.
BINARIES := $(or $(CARGO_TARGET_DIR),target)/debug

# What `make fuzz` does; replay one run with FUZZ_SEED.
FUZZ_STEPS ?= 1000000
FUZZ_SEED ?=
# How many seeds `make faults` simulates; SEED replays one with everything that happens in it.
SEEDS ?= 1000
SEED ?=
# How long `make fuzz-parsers` spends on each parser.
FUZZ_SECONDS ?= 60

# How often `make determinism` runs each model.
DETERMINISM_RUNS ?= 10000

# The markets that `make sim` runs: so many jobs each, the same for the same seed.
SIM_JOBS ?= 3000
SIM_SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help bootstrap program build test demo lint fmt bench e2e clients faults fuzz fuzz-parsers sim determinism idl idl-check program-id clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

bootstrap: ## install what building and testing need (idempotent)
	@scripts/bootstrap.sh

program: bootstrap ## build the on-chain program to target/deploy/assay.so [SBF=auto|upstream|platform-tools]
	@scripts/build-program.sh $(SBF)

build: bootstrap program ## build the binaries `assay` and `assay-worker`
	cargo build --workspace --bins

test: ## everything: program, IDL, both workspaces' tests; ends with their sum
	@scripts/test.sh

demo: build ## six workers on a local chain: three digits settled, a cheat found out, a chat in a session
	@scripts/bootstrap.sh clients
	@$(BINARIES)/assay-demo

lint: ## rustfmt, clippy with warnings denied, cargo-deny
	@scripts/lint.sh

fmt: ## format all Rust code
	cargo fmt --all
	cargo fmt --all --manifest-path programs/Cargo.toml

bench: build ## compute units and costs beside others' figures; time and memory of serving; time and cost of sessions; writes docs/performance.md
	@$(BINARIES)/assay-bench
	@scripts/bootstrap.sh bench
	ASSAY_BENCH_WRITE=$(abspath docs/performance.md) cargo bench --package assay-engine --bench serving
	ASSAY_BENCH_WRITE=$(abspath docs/performance.md) cargo bench --package assay-worker --bench sessions

e2e: build ## the end-to-end tests alone: local chain and real binaries
	@scripts/bootstrap.sh clients
	cargo test --workspace --test e2e

clients: bootstrap ## the APIs over real packages, asked through the stock clients of Triton, OpenAI and Ollama
	@scripts/bootstrap.sh clients
	cargo test --workspace --test local -- clients $(ASSAY_CACHE)/clients/bin/python $(abspath tests/clients/main.py)

faults: program ## real workers under faulty chain, network, disk and clocks [SEEDS=1000 SEED=replay]
	ASSAY_FAULT_SEEDS=$(SEEDS) $(if $(SEED),ASSAY_FAULT_SEED=$(SEED)) \
		cargo test --workspace --test faults $(if $(SEED),seeds_keep) -- --nocapture

fuzz: program ## random instruction sequences [FUZZ_STEPS=1000000 FUZZ_SEED=replay]
	ASSAY_FUZZ_STEPS=$(FUZZ_STEPS) $(if $(FUZZ_SEED),ASSAY_FUZZ_SEED=$(FUZZ_SEED)) \
		cargo test --workspace --test program stateful -- --nocapture

fuzz-parsers: bootstrap ## fuzz every parser of foreign bytes [FUZZ_SECONDS=60, for each]
	@scripts/fuzz.sh $(FUZZ_SECONDS)

sim: build ## whole markets of honest and other providers; writes docs/simulation.* [SIM_JOBS=3000 SIM_SEED=1]
	@ASSAY_SIM_JOBS=$(SIM_JOBS) ASSAY_SIM_SEED=$(SIM_SEED) $(BINARIES)/assay-sim docs

determinism: bootstrap ## ten thousand runs of one job of each model; writes docs/determinism.md [DETERMINISM_RUNS=10000]
	ASSAY_DETERMINISM_RUNS=$(DETERMINISM_RUNS) ASSAY_DETERMINISM_OUT=$(abspath docs/determinism.md) \
		cargo test --workspace --test determinism -- --nocapture

idl: ## write idl/assay.json from the program's source
	@scripts/idl.sh write

idl-check: ## fail if idl/assay.json differs from the program's source
	@scripts/idl.sh check

program-id: ## make KEYPAIR=file.json the program's id in source, Anchor.toml and IDL
	@scripts/idl.sh program-id $(abspath $(KEYPAIR))

clean: ## remove everything built here (downloaded tools stay in ASSAY_CACHE)
	rm -rf target programs/target
