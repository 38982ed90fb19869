#!/bin/sh
# Builds every image but Grafana's without a registry: a base of Debian packages by mmdebstrap, Toxiproxy by Go.
#   docker/debian/build.sh [service...]      all services where none is named; CA_BUNDLE=file for pip
set -eu
cd "$(dirname "$0")/../.."
base=chaos-lab/debian:bookworm
cache=.lab/compose/toxiproxy

needs() {
    command -v "$1" >/dev/null || { echo "make images-debian needs $1: $2" >&2; exit 3; }
}

if ! docker image inspect "$base" >/dev/null 2>&1; then
    needs mmdebstrap "\`apt-get install mmdebstrap\`"
    echo "making $base with mmdebstrap (once, takes a minute)"
    mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm - "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
        | docker import - "$base" >/dev/null
fi

if [ ! -x "$cache/toxiproxy-cli" ]; then
    needs go "https://go.dev/dl/, or \`apt-get install golang-go\`"
    echo "building Toxiproxy 2.12.0 with Go (once)"
    mkdir -p "$cache"
    for program in server:toxiproxy cli:toxiproxy-cli; do
        CGO_ENABLED=0 GOBIN="$PWD/$cache" go install -ldflags "-s -w -X github.com/Shopify/toxiproxy/v2.Version=2.12.0" \
            "github.com/Shopify/toxiproxy/v2/cmd/${program%:*}@v2.12.0"
        mv "$cache/${program%:*}" "$cache/${program#*:}"
    done
fi

export COMPOSE_FILE=docker-compose.yml:docker-compose.debian.yml
docker compose --profile '*' build --quiet "$@"
