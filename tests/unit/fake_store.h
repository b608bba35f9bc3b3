/*
 * A store that does what a test says: in the place of core/store, for tests of the authority. Its
 * database is a file that only has to be there.
 */
#ifndef GUILDFS_TESTS_UNIT_FAKE_STORE_H
#define GUILDFS_TESTS_UNIT_FAKE_STORE_H

#include <stdatomic.h>

#include "tests/unit/world.h"

struct fake_store {
    const struct world *world; /* set by fake_store_show() */
    uint64_t generation;
    atomic_int open_error, generation_error, load_error; /* positive errno; 0: none */
    atomic_bool hangs;                                   /* reading the generation, until it is false again */
    atomic_uint opens, loads;
    char directory[64];
};

extern struct fake_store fake_store;

/* A directory with a database; gone again. */
void fake_store_begin(const struct world *world);
void fake_store_end(void);

/* From now on this is what the store holds, at the generation; both change as one. */
void fake_store_show(const struct world *world, uint64_t generation);

/* What a transaction does: writes to the log, and some time later the new generation shows. */
void fake_store_commit(const struct world *world, unsigned milliseconds);

/* Puts another file in the place of the database. */
void fake_store_replace(void);

void fake_store_pause(unsigned milliseconds);

#endif
