# git after a remount, in the directory of git.sh: the index still fits every file, and everything
# is whole.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
for r in repo cloned fetched tree; do
  # Without a refresh first: inode numbers, sizes and times are those of the index, to the
  # nanosecond.
  git -C $r diff-files --quiet && echo "$r fits"
  git -C $r status --porcelain
done
for r in repo bare.git; do git -C $r fsck --full --strict --no-dangling; done
