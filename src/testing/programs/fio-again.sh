# fio after a remount, in the directory of fio.sh: every block still has its checksum.
fio --verify_only --minimal --output=out jobs || { cat out; exit 1; }
