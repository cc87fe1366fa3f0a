# stress-ng's file stressors, whose workers verify what they do.
try() { # try OPERATIONS STRESSOR...: $workers each
  local operations=$1 stressor out; shift
  for stressor in "$@"; do
    out=$(stress-ng --temp-path . --verify --timeout 100 --"$stressor" "$workers" \
      --"$stressor-ops" "$operations" 2>&1) || {
      echo "$stressor: $out"
      return 1
    }
    echo "$stressor passed"
  done
}
workers=2
try 200 dir dirmany fcntl flock fstat getdent locka lockf lockofd mknod msync open rename revio \
  sendfile splice touch utime
try 100 access aiol dup file-ioctl hdd iomix readahead seek sync-file
try 20 copy-file dirdeep fallocate filename fsize
try 2 dentry xattr
# The second worker of these waits for ever, also on a local disk, when the first has ended before
# it began.
workers=1
try 50 chmod chown
