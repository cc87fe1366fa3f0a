# cp, mv, install, ln and sed -i.
make_kinds from
cp -a from to; manifest from >a; manifest to >b; cmp a b && cat b
cp -a --reflink=auto from/d/big one
cp --sparse=always from/sparse two
cp --sparse=never from/sparse three
cp from/sparse four
cmp from/d/big one; for f in two three four; do cmp from/sparse $f; done
test "$(stat -c %b two)" -lt 2000 && echo sparse; test "$(stat -c %b four)" -lt 2000 && echo sparse
printf z | dd of=one bs=1 conv=notrunc status=none; cmp from/d/big one || true
cp -as "$PWD/from/d" symbolic; readlink symbolic/big | sed "s,$PWD,,"
cp -au from/. to/.
cp --backup=numbered from/d/text one
ls
cp -p --attributes-only from/d/big five
stat -c '%s %a %u %Y' five
cp -aT from/d "$OUT"
manifest from/d >a
manifest "$OUT" >b
cmp a b && echo out
mv "$OUT" back
manifest back >b
cmp a b && echo back
mv back "$OUT"; test -e back || echo moved; manifest "$OUT" >b; cmp a b && echo out; rm -r "$OUT"
install -D -m 640 -o 5 -g 6 from/d/text deep/down/installed; stat -c '%a %u %g' deep/down/installed
install -C -m 640 -o 5 -g 6 from/d/text deep/down/installed
ln -sr from/d/text rel
readlink rel
mv -T rel rel2
mv -n from/d/text deep/down/installed
ls from/d/text
sed -i.bak 's/text/sed/' deep/down/installed
cat deep/down/installed deep/down/installed.bak
stat -c '%a %u %g' deep/down/installed
cp -al from links; stat -c %h links/d/big; rm -r from to links; ls
