# The two commands of the README, and what they are made of.
.PHONY: demo test lint bench deny

CARGO ?= cargo
PROGRAMS = -p dn-sandbox -p channelbackfill -p cms-customid-cleanup -p claims-report

# The whole story on this machine: real binaries against the sandbox; ends non-zero when the truth is missed.
demo:
	$(CARGO) build --release --locked --quiet $(PROGRAMS) --bins
	./target/release/dn-sandbox demo

# Formatting, lints, every test; at the end which faults have a test.
test: lint
	$(CARGO) build --workspace --locked --quiet --bins
	$(CARGO) test --workspace --locked --quiet
	./target/debug/fault-table

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked --quiet -- -D warnings

# Figures, not verdicts: the scan of a report in MB/s, and the cleanup's peak memory on small and large reports,
# and its pace before servers with and without a wall.
bench:
	$(CARGO) bench -p dn-domain --locked
	$(CARGO) bench -p dn-tests --locked

# Licences, banned crates and sources of everything that is built; needs cargo-deny, so it is no part of `make test`.
deny:
	$(CARGO) deny --locked check licenses bans sources
