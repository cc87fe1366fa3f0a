# PostgreSQL: initdb, pgbench, kill -9 of everything, recovery, and nothing is amiss. $SOCKETS is a
# directory that its user may write to.
. "$2/postgresql-start.sh"
chown postgres .
as $bin/initdb -D "$PWD/data" -k -A trust --no-sync -E UTF8 --locale=C >/dev/null
printf '%s\n' "listen_addresses=''" "unix_socket_directories='$PGHOST'" 'shared_buffers=16MB' \
  'max_wal_size=64MB' 'fsync=on' 'autovacuum_naptime=1s' 'log_min_messages=fatal' \
  >>data/postgresql.conf
start
as $bin/pgbench -q -i -s 1 2>/dev/null
as $bin/pgbench -n -c 4 -j 2 -t 50 2>/dev/null | grep -E 'actually|failed'
as $bin/pgbench -n -c 4 -T 600 >/dev/null 2>&1 & load=$!
until [ "$(as psql -qtAc 'SELECT count(*) > 400 FROM pgbench_history')" = t ]; do sleep 0.05; done
master=$(head -n 1 data/postmaster.pid); kill -9 "$master" $(ps -o pid= --ppid "$master")
wait $load || echo 'load ended'
until ! ps -o pid= -p "$master" >/dev/null; do sleep 0.05; done; rm $PGHOST/.s*
# The dead ones' shared memory may live a moment longer, which PostgreSQL finds out.
for try in {1..50}; do start 2>/dev/null && break; sleep 0.1; done
as psql -qtA -v ON_ERROR_STOP=1 <<'SQL'
SELECT count(*) FROM pgbench_accounts;
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history);
SELECT (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history);
SELECT count(*) >= 400 FROM pgbench_history;
SQL
as psql -qtAc 'CREATE EXTENSION amcheck'
as $bin/pg_amcheck -d postgres --heapallindexed --parent-check && echo amcheck
as $bin/pg_dump | grep -c .  | awk '{print ($1 > 100000)}'
as psql -qtA -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE big AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
CREATE INDEX ON big(md5);
CHECKPOINT;
VACUUM FULL big;
CREATE DATABASE other;
SELECT count(DISTINCT md5) FROM big;
DROP TABLE big;
SQL
stop fast
as $bin/pg_checksums --check -D "$PWD/data" | grep -E 'Bad|version'
