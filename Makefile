# Roomgate. `make run` and `make test` install what they need on Debian 12 or a near relative, then do what they say.
#
#   make run              builds, starts the demo, prints what to dial and which link to open
#   make run HOST=ADDR    the same for browsers on other machines: https on ADDR (an address or name of this machine)
#   make build            builds the release binary, target/release/roomgate
#   make deb              builds a Debian package of it, target/debian/roomgate_VERSION_ARCHITECTURE.deb
#   make test-fast        unit tests, scenarios and the layout of the code: no peers
#   make test             everything that CI runs, with real phones and browsers; says what was slow
#   make test-peers       the part of it with real phones and browsers; the minutes of each, of 20 at most
#   make load             minutes of many calls at once, by the release binary, and what waits long; alone on the machine
#   make soak             ten minutes of calls that come and go (SOAK=3600 for an hour); alone on the machine
#   make quality          real speech over networks that lose and delay: PESQ, STOI, PLCMOS, delay; within 20 minutes, alone on the machine
#   make compare          what calls and meetings cost beside rtpengine and Janus, and phones in a LiveKit room; twenty minutes, alone on the machine
#   make bench            benchmarks; prints ratios at the end (some minutes, on an otherwise idle machine)
#   make lint             formatting and clippy
#   make fuzz-smoke       a hundred thousand seeded mutations through every parser, thousands through every machine
#   make fuzz TARGET=sip_message [SECONDS=60]    libFuzzer on one parser (a folder of tests/fuzz/corpus each)
#   make check            lint and licences, what CI runs beside the tests
#   make clean            removes everything that is built or installed in this folder; state/ with its recordings stays

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build run deb test test-fast test-peers load soak quality compare bench fuzz fuzz-smoke lint check licences clean

# Where tests/setup.sh puts what is not installed into the system.
export ROOMGATE_SETUP ?= $(CURDIR)/.setup
# Found there; and a toolchain that was just installed by rustup, although this shell has not been opened anew.
export PATH := $(ROOMGATE_SETUP)/bin:$(HOME)/.cargo/bin:$(PATH)

PORT ?= 8443
TLS := state/tls/$(HOST)
# An IPv4 address, or a name that browsers find this machine by.
IS_ADDRESS := $(shell grep -Ex '[0-9]+(\.[0-9]+){3}' <<< '$(HOST)')

help:
	@sed -n 's/^#   //p' Makefile

build:
	@tests/setup.sh build
	@cargo build --release --locked

run: build
ifdef HOST
	@mkdir -p $(TLS)
	@[ -f $(TLS)/certificate.pem ] || { umask 077; \
	    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=$(HOST)" \
	        -addext "subjectAltName=$(if $(IS_ADDRESS),IP,DNS):$(HOST)" \
	        -keyout $(TLS)/key.pem -out $(TLS)/certificate.pem 2>/dev/null; \
	    echo "Made a self-signed certificate for $(HOST): each browser asks once whether to trust it."; }
	@export ROOMGATE__HTTP__ADDRESS=$(if $(IS_ADDRESS),$(HOST),0.0.0.0) ROOMGATE__HTTP__PORT=$(PORT) \
	    ROOMGATE__HTTP__PUBLIC_URL=https://$(HOST):$(PORT) \
	    ROOMGATE__HTTP__TLS__CERTIFICATE=$(TLS)/certificate.pem ROOMGATE__HTTP__TLS__KEY=$(TLS)/key.pem; \
	exec target/release/roomgate run --config conf
else
	@exec target/release/roomgate run --config conf
endif

deb:
	@tests/setup.sh deb
	@cargo deb --locked --strip

# Tests by nextest, and then where the time went: its profile, what it runs, options of tests/times.py.
define nextest
@report=$${CARGO_TARGET_DIR:-target}/nextest/$(1)/junit.xml; rm -f "$$report"; status=0; \
    cargo nextest run --locked --no-fail-fast --profile $(1) $(2) || status=$$?; \
    tests/times.py "$$report" $(3) || status=1; exit $$status
endef

# Fewer mutations: a hundred thousand of them are `make fuzz-smoke`, and a part of `make test`.
test-fast: export ROOMGATE_MUTATIONS = 5000
test-fast:
	@tests/setup.sh tests
	$(call nextest,fast,--lib --test layout --test wire)

test:
	@tests/setup.sh peers
	$(call nextest,default)

PEERS_BUDGET ?= 20
test-peers:
	@tests/setup.sh peers
	$(call nextest,peers,--test interop,--budget $(PEERS_BUDGET))

# Beside load, what waits for more than 30 s by its nature, which .config/nextest.toml leaves out of `make test`.
LOAD := crowd:: delay:: flood:: hostile:: load:: moving:: churn:: scan:: outbox:: vendors:: volume:: scrape:: receipt:: \
    dialogs::pjsip_with_session_timers kamailio::roomgate_registers
load:
	@tests/setup.sh peers
	@ROOMGATE_LOAD=long cargo test --release --locked --test interop -- --nocapture --test-threads=1 $(LOAD)

SOAK ?= 600
soak:
	@tests/setup.sh peers
	@ROOMGATE_SOAK=$(SOAK) cargo test --release --locked --test interop -- --nocapture --test-threads=1 soak::

# ROOMGATE=path takes another binary; OPTIONS are those of tests/quality, such as OPTIONS='--only "phone clean"'.
quality:
	@tests/setup.sh quality
	@[ -n "$${ROOMGATE:-}" ] || cargo build --release --locked
	@tests/interop/in-namespace.sh $(ROOMGATE_SETUP)/quality/bin/python tests/quality $(OPTIONS)

# OPTIONS are those of tests/compare, such as OPTIONS='--only bridge --rounds 1'.
compare:
	@tests/setup.sh compare
	@[ -n "$${ROOMGATE:-}" ] || cargo build --release --locked
	@tests/interop/in-namespace.sh $(ROOMGATE_SETUP)/quality/bin/python tests/compare $(OPTIONS)

bench:
	@tests/setup.sh build
	@cargo bench --locked --features bench --bench bench

fuzz-smoke:
	@tests/setup.sh tests
	@cargo nextest run --locked --lib mutat hostile storm random_histories

# Coverage needs flags that only a nightly compiler takes; RUSTC_BOOTSTRAP lets the stable one take them. What is found goes into
# tests/fuzz/found; what is worth keeping belongs into the corpus, in a file with a name that says what it is.
SECONDS ?= 60
fuzz:
	@tests/setup.sh fuzz
	@mkdir -p tests/fuzz/found/$(TARGET)
	@RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz -s none $(TARGET) \
	    tests/fuzz/found/$(TARGET) tests/fuzz/corpus/$(TARGET) -- -max_total_time=$(SECONDS) -max_len=4096 -timeout=5 -rss_limit_mb=1024

lint:
	@tests/setup.sh build
	@cargo fmt --check
	@cargo clippy --locked --all-targets --all-features -- -D warnings

# Advisories need a database from the network and are looked at apart: cargo deny check advisories
licences:
	@tests/setup.sh tools
	@cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@python3 systemd/debian/third_party.py --check

check: lint licences

clean:
	@cargo clean
	@[ ! -d .setup/debian ] || [ -w .setup/debian ] || sudo rm -rf .setup/debian
	@rm -rf .setup
