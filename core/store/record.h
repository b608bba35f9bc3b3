/*
 * Records: what the store's entities look like to administration.
 *
 * One struct per entity, used for adding, reading and changing. Strings are borrowed:
 *  - in a record handed to a _list callback, until the callback returns;
 *  - in a record that a _load function made, as long as the record: it is one block of memory
 *    that belongs to the caller, freed with free(3) or GFS_CLEANUP(gfs_record_freep). A caller
 *    may point a string of it elsewhere and hand the record to _update.
 * Members marked "shown" are filled when reading and ignored when writing.
 *
 * Functions that read take the store, inside a transaction too; functions that write take the
 * transaction (tx.h). Errors common to all of them, besides those a function names:
 *   -EEXIST  a name or key is taken already      -ENOENT  what it refers to does not exist
 *   -EINVAL  a value that is not allowed         -EPERM   an invariant of the schema forbids it
 *   -EBUSY   another process holds the lock, or the object is still in use
 *   -EBADMSG the database is corrupt             -ENOSPC, -EIO, -ENOMEM
 * err says which in one line. A _list callback returns 0 to go on; anything else ends the list
 * and is what the _list function returns. It may read from the store.
 */
#ifndef GUILDFS_CORE_STORE_RECORD_H
#define GUILDFS_CORE_STORE_RECORD_H

#include <stdlib.h>

#include "guildfs/clock.h"
#include "guildfs/model.h"
#include "guildfs/store.h"

/* For GFS_CLEANUP on a pointer to a record. */
static inline void gfs_record_freep(void *record_pointer) {
    free(*(void **)record_pointer);
}

enum gfs_plan { GFS_PLAN_FREE, GFS_PLAN_TEAM, GFS_PLAN_INSTITUTIONAL }; /* "free" "team" "institutional" */

/* Where a user or group comes from: made by hand, or kept by an identity provider. */
enum gfs_identity_source { GFS_SOURCE_LOCAL, GFS_SOURCE_SCIM, GFS_SOURCE_SAML, GFS_SOURCE_LDAP };

#endif
