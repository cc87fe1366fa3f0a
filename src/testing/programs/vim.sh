# vim's ways to save, and other programs that write files anew.
printf 'one\ntwo\n' >file
chmod 640 file
chown 5:6 file
ln file hard
ln -s file soft
ino=$(stat -c %i file)
edit() { vim -u NONE -es -N "$@" </dev/null || echo "vim $?"; }
same() {
  if [ "$(stat -c %i file)" = "$ino" ]; then
    echo 'same inode'
  else
    echo 'new inode'
    ino=$(stat -c %i file)
  fi
  stat -c '%a %u %g %h' file
  cat file
  ls -A
}
edit -c 'set backup writebackup backupdir=. backupcopy=auto swapfile directory=.' \
  -c '%s/one/1/' -c wq file
same
rm -f hard
edit -c 'set nobackup writebackup backupcopy=no swapfile directory=.' -c '%s/two/2/' -c wq file
same
edit -c 'set backup backupcopy=yes' -c 'normal Gothree' -c wq file; same
edit -c 'set backup backupcopy=breakhardlink' -c 'normal Gofour' -c 'wq' soft; same; readlink soft
edit -c 'set nowritebackup nobackup fsync' -c 'normal ggOzero' -c 'wq!' file; same
edit -c 'set undofile undodir=.' -c 'normal Gofive' -c 'w' -c 'undo' -c 'wq' file; cat file; ls -A
seq 100000 >large
edit -c 'set directory=. swapsync=fsync' -c '%s/1/one/g' -c wq large
sha256sum large
ls -A
sed -i 's/2/two/' file
cat file
stat -c '%a %u %g' file
sed -i --follow-symlinks 's/two/TWO/' soft
readlink soft
cat file
perl -pi -e 's/TWO/II/' file
cat file
printf 'x\n' | tee -a file >>file
sort -o file file
cat file
printf 'patch me\n' >p
printf -- '--- p\n+++ p\n@@ -1 +1 @@\n-patch me\n+patched\n' | patch -s
cat p
split -n 4 large part
cat part?? | cmp - large
shred -u p
ls -A
mktemp -p . tmp.XXXX | wc -c
dd if=large of=direct bs=64k oflag=direct iflag=fullblock status=none 2>&1 | wc -l
dd if=large of=sync bs=64k oflag=sync,append conv=notrunc,fsync status=none
cmp large sync
gzip -k large
gzip -t large.gz
xz -k large
xz -dc large.xz | cmp - large
rm large
gunzip large.gz
sha256sum large
find . -newer sync -type f | sort
locale=C sort -S 1M -T . large | sha256sum
flock lock echo locked
setsid -w true
