# Functions for the scripts beside this one: a tree with every kind of file, and what a copy must
# keep of it.
manifest() { # every attribute a copy must keep
  ( cd "$1"
    find . -mindepth 1 \( -type d -printf '%P %y %m %U:%G %T@\n' \
      -o -printf '%P %y %m %U:%G %n %s %T@ %l\n' \) | sort
    find . -type f -links +1 -printf '%i %P\n' | sort |
      awk '{a[$1]=a[$1]" "$2} END {for (i in a) print "linked" a[i]}' | sort
    find . -type f -print0 | sort -z | xargs -0r sha256sum
    find . \( -type b -o -type c \) -print0 | sort -z | xargs -0r stat -c '%n %t:%T'
    find . -print0 | sort -z | xargs -0 getfattr -hd -m '^(user|trusted)' 2>/dev/null | grep -a .
    find . ! -type l -print0 | sort -z | xargs -0 getfacl -pn | grep -a . ; )
}
make_kinds() { # a tree with every kind of file
  mkdir -p "$1/d/deep/er" "$1/empty"; ( cd "$1"
    printf 'text\n' >d/text; : >d/none; seq 200000 >d/big; ln d/text d/deep/again; ln d/text second
    ln -s d/text soft; ln -s nowhere dangling; ln -s "$(printf 'x%.0s' {1..200})" d/long-target
    mkfifo d/fifo; mknod d/char c 1 3; mknod d/block b 7 200; ln d/fifo d/fifo-again
    printf 'a\n' >'d/ name with  blanks '
    printf 'b\n' >$'d/new\nline'
    printf 'c\n' >$'d/\xff\xfe bytes'
    truncate -s 20M sparse; printf 'mid' | dd of=sparse bs=1 seek=9000000 conv=notrunc status=none
    printf 'end' | dd of=sparse bs=1 seek=20971517 conv=notrunc status=none
    cp /bin/true suid
    chmod 4755 suid
    cp /bin/true sgid
    chmod 2755 sgid
    chmod 1777 empty
    chmod 000 d/none
    mkdir -m 2775 d/setgid; chown 12345:54321 d/big d/setgid; chown -h 77:88 soft
    setfattr -n user.note -v 'a value' d/text
    setfattr -n user.empty d/text
    setfattr -n trusted.t -v x d/big
    setfattr -n user.long -v "$(printf 'v%.0s' {1..2000})" d
    setfacl -m u:1234:rwx,g:4321:r,m:rx d/big
    setfacl -m d:u:1234:rwx,d:g::rx d/deep; : >d/deep/inherits
    find . -exec touch -hd '2020-02-02 02:02:02.020202020' {} +
    touch -d '2001-02-03 04:05:06.123456789' d/text; touch -d '1965-01-01 00:00:00.5' d/big
    touch -hd '2010-10-10 10:10:10.000000001' soft; touch -d '2021-01-01 00:00:00.999999999' sparse
    find . -type d -exec touch -d '2022-02-02 02:02:02.222222222' {} + )
}
