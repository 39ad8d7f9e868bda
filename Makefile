# The two commands of the README, and what they are made of.
.PHONY: demo test lint bench fuzz deny deploy-dry-run images test-images release deploy

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

# Every reader of foreign bytes under a fuzzer, each for a short time, beginning with what lies in fixtures/. A find is
# named at the end: mend it, and move its file to fixtures/fuzz/TARGET, where `make test` reads it from then on.
FUZZ_SECONDS ?= 20
CARGO_FUZZ = target/tools/bin/cargo-fuzz
FUZZER = -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -verbosity=0 -print_final_stats=1

fuzz: $(CARGO_FUZZ)
	$(CARGO_FUZZ) build --sanitizer none
	@set -e; for file in fuzz/fuzz_targets/*.rs; do \
		target=$$(basename $$file .rs); \
		mkdir -p fuzz/corpus/$$target; \
		echo "fuzz: $$target"; \
		$(CARGO_FUZZ) run --sanitizer none $$target fuzz/corpus/$$target \
			$$(ls -d fixtures/fuzz/$$target fixtures/$$target 2>/dev/null) -- $(FUZZER); \
	done

$(CARGO_FUZZ):
	$(CARGO) install cargo-fuzz --locked --version 0.13.2 --root target/tools --quiet

# Licences, banned crates and sources of everything that is built; needs cargo-deny, so it is no part of `make test`.
deny:
	$(CARGO) deny --locked check licenses bans sources

# Every template as a stack, in the order of a deployment, in moto on this machine; nothing leaves it.
MOTO = target/moto/bin/python
MOTO_PACKAGE = $(shell cat tests/it/moto/package.txt)

deploy-dry-run: $(MOTO)
	$(MOTO) infra/dry_run.py

# Where the tests look for it, marked as they mark it.
$(MOTO):
	python3 -m venv --clear target/moto
	$(MOTO) -m pip install --quiet --disable-pip-version-check '$(MOTO_PACKAGE)'
	printf '%s' '$(MOTO_PACKAGE)' > target/moto/installed

# The three images; and the same run as Fargate would run them, against the sandbox. By docker, or by buildah and podman,
# which test-images installs from Debian.
REVISION ?= $(shell git rev-parse --short=12 HEAD)

images:
	infra/images.sh build $(REVISION)

test-images:
	infra/images.sh test

# A deployment, by the credentials of the aws command line: what the images need and the images, then everything else;
# STACKS=tasks for one stack alone.
release:
	infra/deploy.sh images $(REVISION)

deploy:
	infra/deploy.sh stacks $(REVISION) $(STACKS)
