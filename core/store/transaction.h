/* The inside of a transaction. Internal to core/store. */
#ifndef GUILDFS_CORE_STORE_TRANSACTION_H
#define GUILDFS_CORE_STORE_TRANSACTION_H

#include "core/store/db.h"
#include "core/store/tx.h"

struct gfs_tx {
    struct gfs_store *store;
    uint64_t generation; /* that it makes */
    int64_t now_ns;
    bool audited;
    bool failed; /* a statement in it failed, so that it may be half done: it cannot be committed */
    bool over;   /* committed or rolled back */
};

extern const struct gfs_words gfs_change_words;

/* The id of the row inserted last. */
gfs_id gfs_tx_added(const struct gfs_tx *tx);

#endif
