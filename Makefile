# Thin and readable: each target is the commands you would type.
#   make run    a living demonstration county on http://127.0.0.1:8080
#   make dev    the console alone, rebuilt as you type, in front of a server that runs
#   make console   the build of the web console, which the next build of the program embeds
#   make test   everything CI runs; under 15 minutes on two cores
#   make browser   the console in a real Chromium, driven through a living demonstration
#   make soak   long proofs: 50 kills, minutes of fuzzing
#   make bench  the budget table of ARCHITECTURE.md, measured again
CARGO ?= cargo
FUZZ_SECONDS ?= 8
CHROMIUM ?= chromium
# The protocols whose session is fuzzed alone in `make soak`.
FUZZED = jt808 gb32960 gt06 teltonika h02 meitrack totem t800x eelink ruptela castel jt809 gl200 wialon suntech gps103 tk103 xexun jt600 osmand \
  json emqx-jt808 emqx-gb32960 owntracks

CONSOLE_SOURCES = $(shell find console/src console/public -type f ! -name schema.d.ts) console/index.html console/package-lock.json \
  console/vite.config.ts console/svelte.config.js src/api/openapi.json

.PHONY: run serve dev console console-check browser test lint built unit recipes docs checks fuzz soak bench setup

run: setup console
	$(CARGO) run --release --bin motorpool -- demo

serve: setup console
	$(CARGO) run --release --bin motorpool -- serve

# Where another server than the demonstration's answers: make dev MOTORPOOL=http://127.0.0.1:18080
dev: console/node_modules/.installed
	cd console && npm run dev

console: console/dist/index.html

console/dist/index.html: console/node_modules/.installed $(CONSOLE_SOURCES)
	cd console && npm run build

console/node_modules/.installed: console/package-lock.json
	@node --version >/dev/null 2>&1 || { echo "The console needs Node.js 20.19, or 22.12 and newer. Without it: cargo run --release -- demo (no console)." >&2; exit 1; }
	cd console && npm ci --no-audit --no-fund
	touch $@

console-check: console
	cd console && npm run check && npm run test && npm run budget

# The program is the one of the tests, which has the features of their libraries too: `cargo build` would make another.
browser: console built
	@if command -v $(CHROMIUM) >/dev/null 2>&1; then \
	  cd console && CHROMIUM="$$(command -v $(CHROMIUM))" npm run -s e2e; \
	else \
	  echo "SKIPPED: the browser tests. There is no $(CHROMIUM) here (Debian: sudo apt-get install chromium fonts-wqy-microhei)." >&2; \
	fi

# Two things at a time: the code is checked, documented and fuzzed while the tests are built, and the tests, which wait for sockets
# and disks, run beside the browser.
test: setup console console-check
	$(MAKE) --jobs=2 built checks
	$(MAKE) --jobs=2 unit browser

checks:
	$(MAKE) lint
	$(MAKE) docs
	$(MAKE) fuzz

# In a folder of its own, so that neither waits for the other's lock.
CHECKED = $${CARGO_TARGET_DIR:-target}/check

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --target-dir $(CHECKED) --workspace --all-targets --quiet -- -D warnings

built:
	$(CARGO) test --workspace --features fault-injection --no-run --quiet

# More threads than cores: most tests wait.
unit: recipes
	RUST_TEST_THREADS=4 $(CARGO) test --workspace --features fault-injection --no-fail-fast

# What the recipes of exports/recipes are run with; without Python the test of them says that it was skipped.
recipes: target/python/.installed

target/python/.installed: exports/recipes/requirements.txt
	@if python3 -m venv target/python 2>/dev/null && target/python/bin/pip install --quiet --disable-pip-version-check -r $<; then \
	  touch $@; \
	else \
	  echo "SKIPPED: DuckDB and pandas for the recipes. There is no python3 with venv here, or no package index (Debian: sudo apt-get install python3-venv)." >&2; \
	fi

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --target-dir $(CHECKED) --workspace --no-deps --quiet

fuzz:
	protocols/fuzz/smoke.sh $(FUZZ_SECONDS)

soak: setup
	$(CARGO) build --release --bin motorpool
	KILL_ROUNDS=50 $(CARGO) test --release --features fault-injection --test integration kill -- --nocapture
	protocols/fuzz/smoke.sh 300
	protocols/fuzz/smoke.sh 60 $(FUZZED)
	tests/fuzz-api.sh target/release/motorpool 300

bench: setup
	benches/run.sh

setup:
	@.ci/setup.sh
