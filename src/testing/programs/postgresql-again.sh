# PostgreSQL after a remount, in the directory of postgresql.sh: every page has its checksum.
. "$2/postgresql-start.sh"
as $bin/pg_checksums --check -D "$PWD/data" | grep -E 'Bad|version'
start
as psql -qtAc 'SELECT count(*) FROM pgbench_accounts'
stop fast
