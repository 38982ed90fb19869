#!/bin/sh
# Makes what docker-compose.debian.yml builds from, without a registry: a base of Debian packages by mmdebstrap, and
# Toxiproxy by Go. `make images-debian` calls it and then builds.
#   docker/debian/make.sh [--check]      with --check it only says what is missing
set -eu
cd "$(dirname "$0")/../.."
base=chaos-lab/debian:bookworm
cache=.lab/compose/toxiproxy

missing=
needs() { command -v "$1" >/dev/null || missing="$missing${missing:+; }$1 ($2)"; }
has_base() { docker image inspect "$base" >/dev/null 2>&1; }
has_toxiproxy() { [ -x "$cache/toxiproxy-cli" ]; }

has_base || needs mmdebstrap "\`apt-get install mmdebstrap\`"
has_toxiproxy || needs go "https://go.dev/dl/, or \`apt-get install golang-go\`"
[ -z "$missing" ] || { echo "make images-debian needs $missing" >&2; exit 3; }
[ "${1-}" != --check ] || exit 0

if ! has_base; then
    echo "making $base with mmdebstrap (once, takes a minute)"
    mmdebstrap --variant=minbase --include=python3,ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm - "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
        | docker import - "$base" >/dev/null
fi

if ! has_toxiproxy; then
    echo "building Toxiproxy 2.12.0 with Go (once)"
    mkdir -p "$cache"
    for program in server:toxiproxy cli:toxiproxy-cli; do
        CGO_ENABLED=0 GOBIN="$PWD/$cache" go install -ldflags "-s -w -X github.com/Shopify/toxiproxy/v2.Version=2.12.0" \
            "github.com/Shopify/toxiproxy/v2/cmd/${program%:*}@v2.12.0"
        mv "$cache/${program%:*}" "$cache/${program#*:}"
    done
fi
