#!/bin/sh
# As the usual image does it: a data folder is made where there is none yet, then the command runs.
set -eu
if [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --skip-test-db --auth-root-authentication-method=normal >/dev/null
    { echo 'FLUSH PRIVILEGES;'; cat /docker-entrypoint-initdb.d/*.sql; } | mariadbd --bootstrap
fi
exec "$@"
