#!/usr/bin/env bash
# The three images.
#
#   infra/images.sh build [REVISION]     dn-maintenance/<program>:REVISION, by docker, or by buildah where that is missing
#   infra/images.sh release [REVISION]   the same, on published bases or not at all
#   infra/images.sh test                 builds them and runs them as Fargate would, against the sandbox
#
# Where no registry answers, `build` and `test` make the bases from Debian's packages and the toolchain at hand, in a
# storage of its own below target/: what that proves is the Dockerfiles and the programs in them. Such an image has the
# label local-base and is not for release.
set -euo pipefail
cd "$(dirname "$0")/.."

PROGRAMS=(channelbackfill:channelbackfill cmscleanup:cms-customid-cleanup claims:claims-report)
RUST=$(sed -n 's/^FROM \(docker.io[^$]*\)${RUST_DIGEST} AS build$/\1/p' Dockerfile.claims)
RUNTIME=$(sed -n 's/^FROM \(gcr.io[^$]*\)${RUNTIME_DIGEST}$/\1/p' Dockerfile.claims)
SPACE=target/images
WORLD=$PWD/$SPACE/world
BUCKET=sandbox-state
LIMIT_MB=60
TOO_LITTLE_MB=6

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
  # Said again besides the Dockerfile: buildah takes a layer that another revision labelled for this one's.
  local tag="dn-maintenance/$2:$3" file="Dockerfile.$1" label="org.opencontainers.image.revision=$3"
  say "building $tag"
  if have_docker; then
    docker build --quiet -f "$file" --build-arg "REVISION=$3" -t "$tag" . >&2
  elif [ -n "${OFFLINE:-}" ]; then
    # What is built is kept beside, so that a second test builds what changed.
    mkdir -p "$SPACE/cargo-target"
    "${BUILDAH[@]}" bud --isolation chroot --network host --layers --pull-never \
      --volume "$(rustc --print sysroot):/usr/local/toolchain:ro" --volume "$HOME/.cargo/registry:/usr/local/cargo/registry" \
      --volume "$PWD/$SPACE/cargo-target:/src/target" \
      -f "$file" --build-arg "REVISION=$3" --label "$label" -t "$tag" . >"$SPACE/$2.log" 2>&1 || { tail -30 "$SPACE/$2.log" >&2; fail "$tag"; }
  else
    buildah bud --isolation chroot --network host --layers --pull=false \
      -f "$file" --build-arg "REVISION=$3" --label "$label" -t "$tag" . >&2
  fi
}

# build REVISION [only-published]
build() {
  if ! have_docker; then
    need buildah
    if [ -z "${2:-}" ] && ! published; then
      say 'no registry answers: the bases are made here, and the images are not for release'
      go_local
    fi
  fi
  for pair in "${PROGRAMS[@]}"; do build_one "${pair%%:*}" "${pair##*:}" "$1"; done
  [ -z "${OFFLINE:-}" ] || say "they lie in $SPACE/storage: buildah --root $PWD/$SPACE/storage --runroot $PWD/$SPACE/run images"
}

published() { timeout 300 buildah pull --quiet "$RUNTIME" >/dev/null 2>&1 && timeout 900 buildah pull --quiet "$RUST" >/dev/null 2>&1; }

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

# From here on everything is in a storage of its own.
go_local() {
  need buildah mmdebstrap
  mkdir -p "$SPACE"
  STORAGE=(--root "$PWD/$SPACE/storage" --runroot "$PWD/$SPACE/run")
  BUILDAH=(buildah "${STORAGE[@]}")
  OFFLINE=1
  bases
}

# --- running as Fargate does ----------------------------------------------------------------------------------------

# settings PROGRAM [MEMORY_MB]: what the task definition says, with the sandbox's environment.
settings() {
  FLAGS=(--network host --read-only --tmpfs /tmp:mode=1777 --cap-drop all --security-opt no-new-privileges
    --memory "${2:-$(memory_of "$1")}m" --stop-timeout 120 --volume "$WORLD:$WORLD:ro" --env-file "$PWD/$SPACE/tasks.env")
  # The one variable that two tasks have, with another meaning each.
  [ "$1" != claims-report ] || FLAGS+=(--env VIDEO_REPORT_URI=reporting-api)
}

# start PROGRAM ARGUMENTS…
start() {
  local program=$1
  shift
  settings "$program"
  "${RUN[@]}" "${FLAGS[@]}" "$(image "$program")" "$@"
}

image() { echo "${PREFIX}dn-maintenance/$1:$REVISION"; }

# memory_of PROGRAM: in MiB, of the sizes that are the default.
memory_of() {
  local key
  case $1 in channelbackfill) key=Backfill ;; cms-customid-cleanup) key=Cleanup ;; claims-report) key=Claims ;; esac
  sed -n "/^    measured:/,/^    former:/s/.*${key}Memory: \"\([0-9]*\)\"/\1/p" infra/tasks.yaml
}

# expect CODE WHAT COMMAND…
expect() {
  local wanted=$1 what=$2 code=0
  shift 2
  "$@" >"$SPACE/out.log" 2>"$SPACE/err.log" || code=$?
  [ "$code" = "$wanted" ] || { tail -5 "$SPACE/err.log" >&2; fail "$what: exit $code, not $wanted"; }
  say "$what: exit $code"
}

# wait_for WHAT COMMAND…: two minutes.
wait_for() {
  local what=$1
  shift
  for _ in $(seq 240); do "$@" && return; sleep 0.5; done
  fail "waited in vain for $what"
}

sandbox() {
  cargo build --locked --quiet -p dn-sandbox --bin dn-sandbox
  rm -rf "$WORLD"
  tasks_of_rules
  ./target/debug/dn-sandbox serve --seed 3 --channels 40 --videos 3000 --weeks --dir "$WORLD" --tasks "$PWD/$SPACE/tasks" \
    >"$SPACE/sandbox.env" 2>"$SPACE/sandbox.log" &
  SANDBOX=$!
  trap 'kill $SANDBOX 2>/dev/null || true' EXIT
  # The rate is the last line.
  wait_for 'the sandbox' grep -q 'export RATE_PER_SECOND' "$SPACE/sandbox.env"
  # Values as a shell reads them, without their quotes: what a container's environment file takes.
  (
    set -a
    # shellcheck disable=SC1090
    . "$SPACE/sandbox.env"
    for name in $(sed -n 's/^export \([A-Z_0-9]*\)=.*/\1/p' "$SPACE/sandbox.env"); do
      printf '%s=%s\n' "$name" "$(tr -d '\n' <<<"${!name}")"
    done
  ) | grep -vE '^(STATE_URI|EXPORT_DIR|LOG_FORMAT)=' >"$SPACE/tasks.env"
  printf '%s\n' "STATE_URI=s3://$BUCKET" EXPORT_DIR=/tmp LOG_FORMAT=json >>"$SPACE/tasks.env"
}

# What the sandbox starts where a rule starts the cleanup: the image, with the variables of the rule's transformer.
tasks_of_rules() {
  local task=$SPACE/tasks/cms-customid-cleanup
  mkdir -p "$SPACE/tasks"
  settings cms-customid-cleanup
  {
    printf '#!/usr/bin/env bash\nexport PATH=%q HOME=%q\n' "$PATH" "$HOME"
    # shellcheck disable=SC2016
    echo 'for name in $(compgen -e TRIGGER_); do set -- "$@" --env "$name"; done'
    printf 'exec'
    printf ' %q' "${RUN[@]}" "${FLAGS[@]}"
    # shellcheck disable=SC2016
    printf ' "$@" %q --json\n' "$(image cms-customid-cleanup)"
  } >"$task"
  chmod +x "$task"
}

# The backfill's event on the bus starts the cleanup.
chain() {
  expect 0 'channelbackfill run' start channelbackfill run --json
  # Some of the made-up assets cannot be set.
  wait_for 'the cleanup that the event starts' grep -q 'cms-customid-cleanup: \(ended\|could not\)' "$SPACE/sandbox.log"
  grep -q 'cms-customid-cleanup: ended with exit code 3;' "$SPACE/sandbox.log" || { cat "$SPACE/sandbox.log" >&2; fail 'cleanup by its rule'; }
  say 'cms-customid-cleanup, started by its rule: exit 3'
}

# A week, the last one, for which the week between is made up for, and the desk over their history.
weekly() {
  local page week
  expect 0 'claims-report check' start claims-report check
  week=$(basename "$(printf '%s\n' "$WORLD"/s3/youtube-reporting-main/claims/* | tail -3 | head -1)")
  expect 0 "claims-report run, $week" start claims-report run --week "$week"
  expect 0 'claims-report run' start claims-report run --json
  page=$(sed -n 's/.*"reportUri": *"\([^"]*\)".*/\1/p' "$SPACE/out.log")
  [ "${page##*/}" = report.html ] || fail "claims-report: the page is ${page:-nowhere}"
  local folder=$WORLD/s3/${page#s3://}
  for file in report.html email.html report.json report.xlsx changes.csv disputes.csv alerts.json quality.json; do
    [ -s "${folder%/*}/$file" ] || fail "claims-report: no $file"
  done
  [ "$(wc -l <"${folder%/*}/changes.csv")" -gt 1 ] || fail 'claims-report: nothing changed'
  say "claims-report: $(wc -c <"$folder") bytes of $page"
  expect 0 'claims-report disputes' start claims-report disputes --json
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

has_said() { "${ENGINE[@]}" logs "$1" 2>&1 | grep "\"message\":\"$2\"" >/dev/null; }

# terminate PROGRAM MESSAGE ARGUMENTS…: what has much to do yet when it logs this message is told to end.
terminate() {
  local program=$1 message=$2 name=dn-images-term code before
  shift 2
  "${ENGINE[@]}" rm -f "$name" >/dev/null 2>&1 || true
  settings "$program"
  "${ENGINE[@]}" run --detach --name "$name" "${LIMITS[@]}" "${FLAGS[@]}" "$(image "$program")" "$@" >/dev/null
  wait_for "$message" has_said "$name" "$message"
  before=$SECONDS
  "${ENGINE[@]}" stop --time 120 "$name" >/dev/null
  code=$("${ENGINE[@]}" inspect "$name" --format '{{.State.ExitCode}}')
  "${ENGINE[@]}" logs "$name" >"$SPACE/out.log" 2>"$SPACE/err.log" || true
  [ "$code" = 143 ] || { tail -5 "$SPACE/err.log" >&2; fail "$program, SIGTERM: exit $code, not 143"; }
  [ $((SECONDS - before)) -lt 100 ] || fail "$program, SIGTERM: took $((SECONDS - before)) s"
  "${ENGINE[@]}" rm -f "$name" >/dev/null
  say "$program: SIGTERM: exit 143"
}

# What the runs here say of memory: a limit that is too small ends a run as it would on Fargate, or there is none here.
memory_is_held() {
  local code=0
  settings claims-report "$TOO_LITTLE_MB"
  # podman leaves a file where it is called and somebody is killed.
  (cd "$SPACE" && "${RUN[@]}" "${FLAGS[@]}" "$(image claims-report)" run --dry-run >out.log 2>err.log) || code=$?
  case $code in
    137) say "memory: enforced; with $TOO_LITTLE_MB MiB claims-report is killed (137), and every run above had its task definition's" ;;
    0) say "memory: NOT enforced here, claims-report runs with $TOO_LITTLE_MB MiB; the runs above say nothing of it" ;;
    *) tail -5 "$SPACE/err.log" >&2; fail "claims-report with $TOO_LITTLE_MB MiB: exit $code" ;;
  esac
}

run_tests() {
  mkdir -p "$SPACE"
  REVISION=test-$(git rev-parse --short=12 HEAD)
  if have_docker; then
    ENGINE=(docker) LIMITS=() INSPECT=(docker image inspect) PREFIX=
  else
    need podman runc
    go_local
    ENGINE=(podman "${STORAGE[@]}" --cgroup-manager cgroupfs --runtime runc)
    LIMITS=(--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --read-only-tmpfs=false)
    INSPECT=("${ENGINE[@]}" image inspect)
    PREFIX=localhost/
  fi
  RUN=("${ENGINE[@]}" run --rm "${LIMITS[@]}")
  for pair in "${PROGRAMS[@]}"; do build_one "${pair%%:*}" "${pair##*:}" "$REVISION"; done
  for pair in "${PROGRAMS[@]}"; do examine "${pair##*:}"; done

  sandbox
  expect 0 'cms-customid-cleanup check' start cms-customid-cleanup check
  terminate cms-customid-cleanup 'plan kept' --rate-per-second 5
  expect 0 'channelbackfill check' start channelbackfill check
  chain
  # At one call a second the dispute desk alone takes ten.
  terminate claims-report 'videos of the database listed' run --rate-per-second 1
  weekly
  memory_is_held
  expect 2 'a task without its settings' "${RUN[@]}" --network host --read-only --tmpfs /tmp --cap-drop all "$(image cms-customid-cleanup)"
  say 'all as on Fargate'
}

case "${1:-}" in
  build) build "${2:-$(git rev-parse --short=12 HEAD)}" ;;
  release) build "${2:-$(git rev-parse --short=12 HEAD)}" only-published ;;
  test) run_tests ;;
  *) sed -n '2,11p' "$0"; exit 2 ;;
esac
