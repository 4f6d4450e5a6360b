# Thin and readable: each target is the commands you would type.
#   make run    a living demonstration county on http://127.0.0.1:8080
#   make test   everything CI runs; under 15 minutes on two cores
#   make soak   long proofs: 50 kills, minutes of fuzzing
#   make bench  the budget table of ARCHITECTURE.md, measured again
CARGO ?= cargo
FUZZ_SECONDS ?= 8

.PHONY: run serve test lint unit docs fuzz soak bench setup

run: setup
	$(CARGO) run --release --bin motorpool -- demo

serve: setup
	$(CARGO) run --release --bin motorpool -- serve

test: setup lint unit docs fuzz

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

unit:
	$(CARGO) test --workspace --features fault-injection

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

fuzz:
	protocols/fuzz/smoke.sh $(FUZZ_SECONDS)

soak: setup
	KILL_ROUNDS=50 $(CARGO) test --release --features fault-injection --test integration kill -- --nocapture
	protocols/fuzz/smoke.sh 300

bench: setup
	benches/run.sh

setup:
	@.ci/setup.sh
