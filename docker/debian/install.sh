#!/bin/sh
# Installs packages into an image in one layer: lists and archives are gone before the layer is closed.
#   install.sh [--user NAME] package...      with --user the server's user has number 999, as in the official images
set -eu
export DEBIAN_FRONTEND=noninteractive
# Nothing is to be started or created while a package is installed.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
if [ "$1" = --user ]; then
    groupadd --system --gid 999 "$2"
    useradd --system --uid 999 --gid 999 --no-create-home --shell /usr/sbin/nologin "$2"
    shift 2
fi
apt-get -qq update
apt-get -qq install --no-install-recommends "$@" >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
