# sqlite3: several writers at once, in every journal mode.
run() { sqlite3 -batch -bail -cmd '.timeout 60000' "$@"; }
for mode in delete truncate persist wal memory; do
  run $mode.db "PRAGMA journal_mode=$mode;
    CREATE TABLE t(who, n, pad); CREATE INDEX i ON t(who, n);"
  writers=()
  for who in 1 2 3; do
    for n in {1..15}; do
      echo "BEGIN IMMEDIATE; INSERT INTO t VALUES($who, $n, hex(zeroblob(300)));"
      echo "INSERT INTO t VALUES($who, -$n, 'x'); COMMIT;"
    done >sql.$who
    run $mode.db <sql.$who & writers+=($!)
  done
  for writer in "${writers[@]}"; do wait "$writer"; done
  run $mode.db 'SELECT who, count(*), sum(n) FROM t GROUP BY who;
    PRAGMA integrity_check; PRAGMA quick_check;
    UPDATE t SET pad = n; DELETE FROM t WHERE n < 3; VACUUM;
    SELECT count(*) FROM t; PRAGMA integrity_check;'
done
run wal.db 'PRAGMA wal_checkpoint(TRUNCATE); PRAGMA mmap_size=1000000; SELECT sum(n) FROM t;'
run wal.db '.backup copy.db'
run copy.db 'SELECT sum(n) FROM t; PRAGMA integrity_check;'
run copy.db "SELECT * FROM t ORDER BY who, n" | sha256sum
rm sql.*; ls
