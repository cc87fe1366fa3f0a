# sqlite3 through two mounts of one directory, here and in $OTHER: writers take turns.
run() { sqlite3 -batch -bail -cmd '.timeout 100000' "$@"; }
run shared.db 'CREATE TABLE t(who, n); CREATE INDEX i ON t(who, n);'
writers=()
for who in 1 2 3 4; do
  directory=$PWD; [ $((who % 2)) = 0 ] || directory=$OTHER
  for n in {1..15}; do
    echo "BEGIN IMMEDIATE; INSERT INTO t SELECT $who, count(*) FROM t; COMMIT;"
  done | run "$directory/shared.db" & writers+=($!)
done
for writer in "${writers[@]}"; do wait "$writer"; done
for directory in "$PWD" "$OTHER"; do
  # Each saw what all others had committed before: the numbers are 0 to 59, each once.
  run "$directory/shared.db" \
    'SELECT count(DISTINCT n), min(n), max(n) FROM t; PRAGMA integrity_check;'
done
