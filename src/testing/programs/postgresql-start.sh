# Starts and stops the PostgreSQL whose data is in the current directory, with sockets in $SOCKETS.
bin=/usr/lib/postgresql/15/bin
export PGHOST=$SOCKETS PGUSER=postgres PGDATABASE=postgres
as() { setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/ "$@"; }
start() { as setsid $bin/pg_ctl -s -w -t 100 -D "$PWD/data" -l "$PWD/log" start; }
stop() { # stop MODE
  as $bin/pg_ctl -s -w -t 100 -m "$1" -D "$PWD/data" stop
}
trap '[ ! -e data/postmaster.pid ] || stop immediate' EXIT
