#!/bin/sh
# As the usual image does it: a cluster is made where there is none yet, with what /docker-entrypoint-initdb.d says; then
# the command runs. The superuser logs in nowhere: no line of pg_hba.conf names it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U postgres -A reject -E UTF8 --no-locale >/dev/null
    echo "host postgres,lab_statistics lab,lab_statistics all scram-sha-256" > "$PGDATA/pg_hba.conf"
    echo "host replication lab_replication all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    for file in /docker-entrypoint-initdb.d/*.sql; do
        # A statement ends at an empty line.
        sed G "$file" | postgres --single -j -c exit_on_error=on -D "$PGDATA" postgres >/dev/null
    done
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
fi
exec "$@"
