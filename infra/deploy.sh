#!/usr/bin/env bash
# The cloud, in two commands; with the credentials and the region that the aws command line has.
#
#   infra/deploy.sh images [REVISION]            repositories, log groups, state bucket; then builds and pushes the images
#   infra/deploy.sh stacks [REVISION] [STACK…]   everything else, or just these stacks; fleet is one that has to be named
#
# Tags never move: an image that is there is not built again, and an earlier revision is deployed by its name.
set -euo pipefail
cd "$(dirname "$0")/.."

# In this order: each needs names of those before it.
STACKS=(tasks workflow alerts schedules monitoring)
PROGRAMS=(channelbackfill cms-customid-cleanup claims-report)
ENVIRONMENT=${ENVIRONMENT:-dev}
KNOWN=infra/params/$ENVIRONMENT.json

say() { printf 'deploy: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

# stack NAME REVISION
stack() {
  local parameters
  [ -f "infra/$1.yaml" ] || fail "there is no infra/$1.yaml"
  mapfile -t parameters < <(jq -r '.Parameters | to_entries[] | "\(.key)=\(.value)"' "$KNOWN")
  say "stack dn-maintenance-$1-$ENVIRONMENT"
  aws cloudformation deploy --stack-name "dn-maintenance-$1-$ENVIRONMENT" --template-file "infra/$1.yaml" \
    --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --parameter-overrides "${parameters[@]}" "ImageTag=$2"
}

# is_pushed PROGRAM REVISION
is_pushed() {
  aws ecr describe-images --repository-name "dn-maintenance/$1" --image-ids "imageTag=$2" >/dev/null 2>&1
}

# All three, or those that lack: a push that broke off is taken up.
images() {
  local revision=$1 registry tool=buildah lacking=()
  stack foundation "$revision"
  for program in "${PROGRAMS[@]}"; do
    if is_pushed "$program" "$revision"; then say "$program:$revision is there"; else lacking+=("$program"); fi
  done
  [ ${#lacking[@]} -gt 0 ] || return 0
  # The tag is a promise of what is in the image.
  [ "$revision" = "$(git rev-parse --short=12 HEAD)" ] || fail "$revision is not what is checked out"
  [ -z "$(git status --porcelain)" ] || fail 'there are changes that no revision has'
  infra/images.sh release "$revision"
  docker info >/dev/null 2>&1 && tool=docker
  registry=$(aws ecr describe-repositories --repository-names "dn-maintenance/${PROGRAMS[0]}" --query 'repositories[0].repositoryUri' --output text)
  registry=${registry%%/*}
  aws ecr get-login-password | $tool login --username AWS --password-stdin "$registry" >/dev/null
  for program in "${lacking[@]}"; do
    say "pushing $program:$revision"
    $tool tag "dn-maintenance/$program:$revision" "$registry/dn-maintenance/$program:$revision"
    $tool push "$registry/dn-maintenance/$program:$revision" >&2
  done
}

# A task definition whose image is not there would fail at its next start and not now.
stacks() {
  local revision=$1
  shift
  for program in "${PROGRAMS[@]}"; do
    is_pushed "$program" "$revision" || fail "$program:$revision is in no repository: infra/deploy.sh images first"
  done
  [ $# -gt 0 ] || set -- "${STACKS[@]}"
  for name in "$@"; do stack "$name" "$revision"; done
}

REVISION=${2:-$(git rev-parse --short=12 HEAD)}
case "${1:-}" in
  images) images "$REVISION" ;;
  stacks) stacks "$REVISION" "${@:3}" ;;
  *) sed -n '2,7p' "$0"; exit 2 ;;
esac
