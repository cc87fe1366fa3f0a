# make -j, gcc, ar and ranlib: what is built, and what is built again.
mkdir src lib include
for i in {1..60}; do
  printf '#include "version.h"\n#include "all.h"\n' >src/unit$i.c
  printf 'int unit_%d(void) { return VERSION + %d; }\n' $i $i >>src/unit$i.c
done
for i in {1..10}; do
  printf '#include "all.h"\nint part_%d(void) { return %d; }\n' $i $i >lib/part$i.c
done
{ for i in {1..60}; do echo "int unit_$i(void);"; done
  for i in {1..10}; do echo "int part_$i(void);"; done; } >include/all.h
{ printf '#include <stdio.h>\n#include "all.h"\nint main(void) { int sum = 0;\n'
  for i in {1..60}; do echo "sum += unit_$i();"; done
  for i in {1..10}; do echo "sum += part_$i();"; done
  printf 'printf("%%d\\n", sum); return 0; }\n'; } >src/main.c
echo 7 >version
cat >Makefile <<'M'
CFLAGS = -O0 -Iinclude -Igen -MMD -MP
UNITS = $(patsubst src/%.c,obj/%.o,$(wildcard src/*.c))
PARTS = $(patsubst lib/%.c,obj/%.o,$(wildcard lib/*.c))
prog: $(UNITS) obj/libparts.a
	$(CC) -o $@ $(UNITS) -Lobj -lparts
obj/libparts.a: $(PARTS)
	ar rcs $@ $(PARTS)
	ranlib $@
gen/version.h: version
	mkdir -p gen
	printf '#define VERSION %s\n' "$$(cat version)" >$@
obj/%.o: src/%.c gen/version.h | obj
	$(CC) $(CFLAGS) -c -o $@ $<
obj/%.o: lib/%.c gen/version.h | obj
	$(CC) $(CFLAGS) -c -o $@ $<
obj:
	mkdir -p $@
-include $(wildcard obj/*.d)
M
make -j4 -s; ./prog; make -j4
printf '#define EXTRA 1\n' >>include/all.h
make -j4 -n | grep -c -- '-c -o'
make -j4 -s
./prog
make -q && echo 'up to date'
touch lib/part3.c; make -j4 -n; make -j4 -s; make
echo 8 >version; make -j4 -s; ./prog; make
ar t obj/libparts.a | sort
nm obj/libparts.a | grep -c ' T part_'
ar d obj/libparts.a part1.o
ar r obj/libparts.a obj/part1.o
ranlib obj/libparts.a
ar t obj/libparts.a
strip prog
./prog
gcc -shared -fPIC -Iinclude -Igen -o libu.so src/unit1.c
install -m 700 -s prog installed
./installed
stat -c '%a' installed
make -n clean 2>&1 || true
