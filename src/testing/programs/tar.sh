# tar: a round trip with every attribute.
make_kinds from
tar --format=posix --xattrs --xattrs-include='*' --acls -S -C from -cf all.tar .
mkdir to; tar --xattrs --xattrs-include='*' --acls --numeric-owner -S -C to -xpf all.tar
manifest from >a; manifest to >b; cmp a b && cat b
test "$(stat -c %b to/sparse)" -lt 2000 && echo sparse
tar --compare --xattrs --acls -C from -f all.tar . && echo compared
mkdir gz
tar -C from -czf all.tgz d
tar -C gz -xpzf all.tgz
diff -r --no-dereference --exclude=fifo* --exclude=char --exclude=block from/d gz/d && echo same
tar -C from -cf snap.tar -g snap .
touch from/d/deep/fresh
tar -C from -cvf snap2.tar -g snap . | grep -v '/$'
