# git: commits, branches, worktrees, clones, pushes, gc and fsck.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main repo; cd repo
for d in {0..9}; do
  mkdir -p src/$d
  for i in {0..29}; do printf "line $d $i %s\n" {1..40} >src/$d/f$i.c; done
done
git add -A; git commit -qm first; git rev-parse HEAD; git status --porcelain
git checkout -qb feature
for d in {0..9}; do
  printf 'more\n' >>src/$d/f1.c
  rm src/$d/f2.c
  git mv src/$d/f3.c src/$d/moved.c
  chmod +x src/$d/f4.c
  ln -s f5.c src/$d/link
done
git add -A; git commit -qm second; git rev-parse HEAD
for round in 1 2; do
  git checkout -q main
  git status --porcelain
  git checkout -q feature
  git status --porcelain
done
git diff --stat main | tail -n 3
git checkout -q main
printf 'main\n' >>src/0/f0.c
git commit -qam third
git merge -q -m merged feature
git rev-parse HEAD
git stash list
printf 'wip\n' >>src/1/f0.c
git stash -q
git status --porcelain
git stash pop -q
git status --porcelain
git checkout -q .
git worktree add -q ../tree feature; git -C ../tree status --porcelain; git worktree list | wc -l
cd ..
git clone -q repo cloned; git clone -q "file://$PWD/repo" fetched; git clone -q --bare repo bare.git
git -C repo gc -q --prune=now; git -C repo count-objects -v | grep -E 'count|in-pack|packs'
printf 'pushed\n' >fetched/new
git -C fetched add new
git -C fetched commit -qm fourth
git -C fetched push -q ../bare.git main
git -C cloned pull -q ../bare.git main; git -C cloned rev-parse HEAD
git -C fetched repack -adq; git -C cloned rebase -q --onto HEAD~1 HEAD~1
for r in repo cloned fetched bare.git tree; do
  git -C $r fsck --full --strict
  git -C $r rev-parse HEAD
done
for r in repo cloned fetched tree; do git -C $r status --porcelain; done
find . -name '*.lock'
