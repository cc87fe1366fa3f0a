# Packages: dpkg-deb, dpkg, zip, Python's tarfile.
mkdir -p pkg/DEBIAN pkg/usr/share/doc/thing pkg/usr/bin pkg/etc
printf '%s\n' 'Package: thing' 'Version: 1' 'Architecture: all' 'Maintainer: a <a@b>' \
  'Description: thing' >pkg/DEBIAN/control
printf '#!/bin/sh\necho thing\n' >pkg/usr/bin/thing
chmod 755 pkg/usr/bin/thing
ln -s thing pkg/usr/bin/other
ln pkg/usr/bin/thing pkg/usr/bin/hard
for i in {1..50}; do seq $i $((i + 500)) >pkg/usr/share/doc/thing/$i; done
find pkg -exec touch -hd '2020-01-01 00:00:00Z' {} +
export SOURCE_DATE_EPOCH=1577836800
dpkg-deb --root-owner-group -Zxz -b pkg thing.deb
sha256sum thing.deb
dpkg-deb -c thing.deb
dpkg-deb -I thing.deb | grep -v size
dpkg-deb -x thing.deb out
out/usr/bin/other
diff -r pkg/usr out/usr
stat -c %h out/usr/bin/hard
dpkg-deb -R thing.deb raw
diff -r --no-dereference pkg raw
mkdir root
dpkg --root="$PWD/root" --force-not-root --force-script-chrootless --log=/dev/null \
  -i thing.deb 2>&1 | grep -v 'Reading database' || true
ls root/usr/bin
dpkg --root="$PWD/root" -V thing || true
zip -qryX all.zip pkg
unzip -tq all.zip
unzip -q all.zip -d unzipped
diff -r --no-dereference pkg unzipped/pkg
printf 'more\n' >pkg/etc/more; zip -qX all.zip pkg/etc/more; unzip -l all.zip | tail -n 1
zip -qd all.zip 'pkg/usr/share/*'
unzip -l all.zip | tail -n 1
python3 -m zipfile -t all.zip
python3 -c 'import tarfile; tarfile.open("t.tar.xz", "w:xz").add("pkg")'
python3 -c 'import tarfile; print(len(tarfile.open("t.tar.xz").getnames()))'
cd pkg; find . -name '[0-9]*' | sort | xargs md5sum >../sums; md5sum -c --quiet ../sums
