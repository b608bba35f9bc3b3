/* Makes a store with a large made-up policy for bench.py: make_store.h says what is in it. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/make_store.h"

int main(int argc, char **argv) {
    struct gfs_error err = {0};
    if (argc != 5) {
        fputs("usage: bench-store DIR USERS GROUPS AUTHORIZATIONS\n", stderr);
        return 2;
    }
    unsigned users = (unsigned)strtoul(argv[2], NULL, 10), groups = (unsigned)strtoul(argv[3], NULL, 10);
    if (bench_make_store(argv[1], users, groups, (unsigned)strtoul(argv[4], NULL, 10), &err) < 0) {
        fprintf(stderr, "bench-store: %s\n", err.message);
        return 1;
    }
    return 0;
}
