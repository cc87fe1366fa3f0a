# rsync: the second run copies nothing.
make_kinds from
for i in {1..100}; do printf "file $i\n" >from/d/f$i; done; touch -d 2020-02-02 from/d from/d/f*
rsync -aHAX --specials --devices from/ to/; manifest from >a; manifest to >b; cmp a b; echo copied
rsync -a --itemize-changes from/ to/; echo again
rsync -aHAX --itemize-changes from/ to/; echo again with all
rsync -aHAX --checksum --itemize-changes from/ to/; echo again by checksum
printf 'x' >>from/d/f7
rm from/d/f8
chmod 600 from/d/f9
touch -d 2020-02-02 from/d
touch -d 2020-02-03 from/d/f7
setfattr -n user.n -v v from/d/f10
rsync -aHAX --delete --itemize-changes from/ to/; manifest from >a; manifest to >b; cmp a b
printf 'y' | dd of=from/d/big bs=1 seek=500000 conv=notrunc status=none
rsync -a --inplace --no-whole-file --stats from/d/big to/d/big |
  grep -E 'Matched data|regular files transferred'
cmp from/d/big to/d/big
rsync -aS from/sparse sparse-copy
cmp from/sparse sparse-copy
test "$(stat -c %b sparse-copy)" -lt 2000 && echo sparse
rsync -aHAX from/ "$OUT/"
rsync -aHAX --checksum --itemize-changes from/ "$OUT/"
rsync -aHAX --itemize-changes "$OUT/" to/
rm -rf "$OUT"
sha256sum a
