# fio: random and sequential writes through every way there is, verified right away.
cat >jobs <<'F'
[global]
size=4m
verify=crc32c
verify_fatal=1
do_verify=1
randseed=7
group_reporting
[psync]
ioengine=psync
rw=randwrite
bs=4k
numjobs=2
fsync=16
[mixed]
ioengine=psync
rw=randrw
bsrange=512-64k
bs_unaligned=1
[libaio]
ioengine=libaio
iodepth=8
rw=randwrite
bs=4k-64k
numjobs=2
[direct]
ioengine=libaio
direct=1
iodepth=4
rw=randrw
bs=4k
[mmap]
ioengine=mmap
rw=randwrite
bs=4k
numjobs=2
[sequential]
ioengine=psync
rw=write
bs=128k
size=16m
F
fio --output=out --minimal jobs || { cat out; exit 1; }
ls | wc -l
