# sqlite3: writers killed after commits and in the midst of a transaction; what was acknowledged
# stays, the rest goes.
run() { sqlite3 -batch -bail -cmd '.timeout 60000' "$@"; }
feed() { # feed DATABASE FILE: a writer that is killed once it has acknowledged 30 transactions
  : >acknowledged
  stdbuf -oL sqlite3 -batch "$1" <"$2" >acknowledged & local writer=$!
  until [ "$(grep -c '^done' acknowledged)" -ge 30 ]; do sleep 0.02; done
  kill -9 "$writer"; wait "$writer" 2>/dev/null || true
}
rows='SELECT hex(randomblob(150)) FROM generate_series(1, 10)'
for n in {1..3000}; do
  echo "BEGIN; INSERT INTO t(pad) $rows; COMMIT; SELECT 'done $n';"
done >commits
{ echo "PRAGMA cache_size=5; BEGIN IMMEDIATE;"
  for n in {1..3000}; do
    echo "UPDATE t SET pad = hex(randomblob(150)); SELECT 'spilled';"
  done; } >open
for mode in delete persist wal; do
  run $mode.db "PRAGMA journal_mode=$mode;
    CREATE TABLE t(n INTEGER PRIMARY KEY, pad); CREATE INDEX i ON t(pad);"
  feed $mode.db commits
  acknowledged=$(grep -c '^done' acknowledged)
  run $mode.db 'PRAGMA integrity_check;'
  run $mode.db "SELECT count(*) % 10, count(*) >= 10 * $acknowledged FROM t;"
  before=$(run $mode.db 'SELECT * FROM t' | sha256sum)
  : >spilled; stdbuf -oL sqlite3 -batch $mode.db <open >spilled & writer=$!
  until grep -q '^spilled' spilled; do sleep 0.02; done
  ls $mode.db-* ; kill -9 "$writer"; wait "$writer" 2>/dev/null || true
  run $mode.db 'PRAGMA integrity_check;'
  [ "$(run $mode.db 'SELECT * FROM t' | sha256sum)" = "$before" ] && echo 'as before'
done
