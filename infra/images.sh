#!/usr/bin/env bash
# The three images.
#
#   infra/images.sh build [REVISION]   dn-maintenance/<program>:REVISION, by docker, or by buildah where that is missing
#   infra/images.sh test               builds them and runs them as Fargate would, against the sandbox
#
# Where no registry answers, `test` makes the bases from Debian's packages and the toolchain at hand, in a storage of its own
# below target/: what it proves is the Dockerfiles and the programs in them. `build` takes published bases or fails.
set -euo pipefail
cd "$(dirname "$0")/.."

PROGRAMS=(channelbackfill:channelbackfill cmscleanup:cms-customid-cleanup claims:claims-report)
RUST=$(sed -n 's/^FROM \(docker.io[^$]*\)${RUST_DIGEST} AS build$/\1/p' Dockerfile.claims)
RUNTIME=$(sed -n 's/^FROM \(gcr.io[^$]*\)${RUNTIME_DIGEST}$/\1/p' Dockerfile.claims)
SPACE=target/images
LIMIT_MB=60

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

have_docker() { docker info >/dev/null 2>&1; }

need() {
  local missing=()
  for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null
}

# --- building -------------------------------------------------------------------------------------------------------

# build_one DOCKERFILE PROGRAM REVISION
build_one() {
  local tag="dn-maintenance/$2:$3" file="Dockerfile.$1"
  say "building $tag"
  if have_docker; then
    docker build --quiet -f "$file" --build-arg "REVISION=$3" -t "$tag" . >&2
  elif [ -n "${OFFLINE:-}" ]; then
    # What is built is kept beside, so that a second test builds what changed.
    mkdir -p "$SPACE/cargo-target"
    "${BUILDAH[@]}" bud --isolation chroot --network host --layers --pull-never \
      --volume "$(rustc --print sysroot):/usr/local/toolchain:ro" --volume "$HOME/.cargo/registry:/usr/local/cargo/registry" \
      --volume "$PWD/$SPACE/cargo-target:/src/target" \
      -f "$file" --build-arg "REVISION=$3" -t "$tag" . >"$SPACE/$2.log" 2>&1 || { tail -30 "$SPACE/$2.log" >&2; fail "$tag"; }
  else
    buildah bud --isolation chroot --network host --layers --pull=false \
      -f "$file" --build-arg "REVISION=$3" -t "$tag" . >&2
  fi
}

build() {
  have_docker || need buildah
  for pair in "${PROGRAMS[@]}"; do build_one "${pair%%:*}" "${pair##*:}" "$1"; done
}

# --- bases where there is no registry -------------------------------------------------------------------------------

# from_tar TAR IMAGE [buildah config arguments…]
from_tar() {
  local container tar=$1 image=$2
  shift 2
  container=$("${BUILDAH[@]}" from scratch)
  "${BUILDAH[@]}" add --quiet "$container" "$tar" / >/dev/null
  "${BUILDAH[@]}" copy --quiet "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
  [ "$image" != "$RUNTIME" ] || "${BUILDAH[@]}" copy --quiet "$container" "$SPACE/passwd" /etc/passwd >/dev/null
  "${BUILDAH[@]}" config --label local-base=true "$@" "$container"
  "${BUILDAH[@]}" commit --quiet --rm "$container" "$image" >/dev/null
}

# What distroless/cc has: the C library, the certificates, the time zones, a user who owns nothing, a /tmp.
runtime_base() {
  mmdebstrap --quiet --variant=extract --include=base-files,libc6,libgcc-s1,tzdata,netbase \
    bookworm "$SPACE/runtime.tar" "$SOURCES"
  printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$SPACE/passwd"
  from_tar "$SPACE/runtime.tar" "$RUNTIME" --user 65532 --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
}

# The compiler's surroundings; the toolchain and the crates come by a mount.
rust_base() {
  local hook='
    mkdir -p "$1/usr/local/cargo"
    printf "[net]\noffline = true\n" > "$1/usr/local/cargo/config.toml"'
  mmdebstrap --quiet --variant=minbase --include=gcc,libc6-dev,make,ca-certificates \
    --customize-hook="$hook" bookworm "$SPACE/rust.tar" "$SOURCES"
  from_tar "$SPACE/rust.tar" "$RUST" --env CARGO_HOME=/usr/local/cargo \
    --env PATH=/usr/local/toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

bases() {
  local wanted=${RUST##*/rust:}
  [[ "$(rustc --version)" == "rustc ${wanted%%-*} "* ]] || fail "the toolchain at hand is not the one of $RUST"
  for source in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ -s "$source" ] && SOURCES=$source && break
  done
  "${BUILDAH[@]}" inspect --type image "$RUNTIME" >/dev/null 2>&1 ||
    { say "making $RUNTIME from Debian's packages"; runtime_base; }
  "${BUILDAH[@]}" inspect --type image "$RUST" >/dev/null 2>&1 ||
    { say "making $RUST from Debian's packages"; rust_base; }
  cargo fetch --locked --quiet
}

# --- running as Fargate does ----------------------------------------------------------------------------------------

# start PROGRAM MEMORY_MB ARGUMENTS…: what the task definition says, with the sandbox's environment.
start() {
  local program=$1 memory=$2
  shift 2
  "${RUN[@]}" --network host --read-only --tmpfs /tmp:mode=1777 --cap-drop all --security-opt no-new-privileges \
    --memory "${memory}m" --stop-timeout 120 --volume "$PWD/$SPACE/world:$PWD/$SPACE/world:ro" \
    --env-file "$SPACE/tasks.env" "$(image "$program")" "$@"
}

image() { echo "${PREFIX}dn-maintenance/$1:$REVISION"; }

memory_of() { sed -n "/^    measured:/,/^    former:/s/.*$1Memory: \"\([0-9]*\)\"/\1/p" infra/tasks.yaml; }

# expect CODE WHAT COMMAND…
expect() {
  local wanted=$1 what=$2 code=0
  shift 2
  "$@" >"$SPACE/out.log" 2>"$SPACE/err.log" || code=$?
  [ "$code" = "$wanted" ] || { tail -5 "$SPACE/err.log" >&2; fail "$what: exit $code, not $wanted"; }
  say "$what: exit $code"
}

sandbox() {
  cargo build --locked --quiet -p dn-sandbox --bin dn-sandbox
  rm -rf "$SPACE/world"
  ./target/debug/dn-sandbox serve --seed 3 --channels 40 --videos 3000 --dir "$PWD/$SPACE/world" "$@" >"$SPACE/sandbox.env" &
  SANDBOX=$!
  trap 'kill $SANDBOX 2>/dev/null || true' EXIT
  for _ in $(seq 60); do grep -q 'export YOUTUBE_REPORTING_BASE_URL' "$SPACE/sandbox.env" 2>/dev/null && break; sleep 1; done
  # Values as a shell reads them, without their quotes: what a container's environment file takes.
  (
    set -a
    # shellcheck disable=SC1090
    . "$SPACE/sandbox.env"
    for name in $(sed -n 's/^export \([A-Z_0-9]*\)=.*/\1/p' "$SPACE/sandbox.env"); do
      printf '%s=%s\n' "$name" "$(tr -d '\n' <<<"${!name}")"
    done
  ) | grep -vE '^(STATE_URI|EXPORT_DIR|LOG_FORMAT)=' >"$SPACE/tasks.env"
  printf 'STATE_URI=/tmp/state\nEXPORT_DIR=/tmp\nLOG_FORMAT=json\nMAX_REPORT_AGE=3650d\n' >>"$SPACE/tasks.env"
}

# What an image says of itself, and what lies in it.
examine() {
  local program=$1 size said
  said=$("${INSPECT[@]}" "$(image "$program")" --format '{{.Config.User}} {{json .Config.Entrypoint}} {{index .Config.Labels "org.opencontainers.image.revision"}} {{.Size}}')
  read -r user entrypoint revision size <<<"$said"
  [ "$user" = 65532:65532 ] || fail "$program runs as $user"
  [ "$entrypoint" = "[\"/usr/local/bin/$program\"]" ] || fail "$program: entrypoint $entrypoint"
  [ "$revision" = "$REVISION" ] || fail "$program: revision $revision"
  [ "$size" -lt $((LIMIT_MB * 1000 * 1000)) ] || fail "$program: $size bytes"
  say "$program: $((size / 1000 / 1000)) MB, user $user, revision $revision"
}

# A cleanup with much to write is told to end in the middle.
terminate() {
  local name=dn-images-term code=0
  "${ENGINE[@]}" rm -f "$name" >/dev/null 2>&1 || true
  RUN=("${ENGINE[@]}" run --detach --name "$name" "${FLAGS[@]}")
  start cms-customid-cleanup "$(memory_of Cleanup)" --rate-per-second 5 --state-uri /tmp/term >/dev/null
  for _ in $(seq 120); do grep -q 'assets.patch' "$SPACE/world/journal.jsonl" && break; sleep 0.5; done
  local before=$SECONDS
  "${ENGINE[@]}" stop --time 120 "$name" >/dev/null
  code=$("${ENGINE[@]}" inspect "$name" --format '{{.State.ExitCode}}')
  "${ENGINE[@]}" logs "$name" >"$SPACE/out.log" 2>"$SPACE/err.log" || true
  [ "$code" = 143 ] || { tail -5 "$SPACE/err.log" >&2; fail "SIGTERM: exit $code, not 143"; }
  [ $((SECONDS - before)) -lt 100 ] || fail "SIGTERM: took $((SECONDS - before)) s"
  "${ENGINE[@]}" rm -f "$name" >/dev/null
  say "cms-customid-cleanup: SIGTERM: exit 143"
  RUN=("${ENGINE[@]}" run --rm "${FLAGS[@]}")
}

run_tests() {
  mkdir -p "$SPACE"
  REVISION=test-$(git rev-parse --short=12 HEAD)
  if have_docker; then
    ENGINE=(docker) FLAGS=() INSPECT=(docker image inspect) PREFIX=
  else
    need buildah podman runc mmdebstrap
    local storage=(--root "$PWD/$SPACE/storage" --runroot "$PWD/$SPACE/run")
    BUILDAH=(buildah "${storage[@]}")
    ENGINE=(podman "${storage[@]}" --cgroup-manager cgroupfs --runtime runc)
    FLAGS=(--ulimit nofile=1024:1024 --ulimit nproc=4096:4096)
    INSPECT=("${ENGINE[@]}" image inspect)
    PREFIX=localhost/
    OFFLINE=1
    bases
  fi
  RUN=("${ENGINE[@]}" run --rm "${FLAGS[@]}")
  for pair in "${PROGRAMS[@]}"; do build_one "${pair%%:*}" "${pair##*:}" "$REVISION"; done
  for pair in "${PROGRAMS[@]}"; do examine "${pair##*:}"; done

  sandbox
  expect 0 'cms-customid-cleanup check' start cms-customid-cleanup "$(memory_of Cleanup)" check
  terminate
  # Some of the made-up assets cannot be set.
  expect 3 'cms-customid-cleanup run' start cms-customid-cleanup "$(memory_of Cleanup)" run --json --rate-per-second 2000
  expect 0 'channelbackfill check' start channelbackfill "$(memory_of Backfill)" check
  expect 0 'channelbackfill run' start channelbackfill "$(memory_of Backfill)" run --json
  expect 0 'claims-report --help' start claims-report "$(memory_of Claims)" --help
  expect 2 'a task without its settings' "${RUN[@]}" --network host --read-only --tmpfs /tmp --cap-drop all "$(image cms-customid-cleanup)"
  say 'all as on Fargate'
}

case "${1:-}" in
  build) build "${2:-$(git rev-parse --short=12 HEAD)}" ;;
  test) run_tests ;;
  *) sed -n '2,9p' "$0"; exit 2 ;;
esac
