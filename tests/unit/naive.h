/*
 * Effective permissions and places, evaluated from the rows by the words of the contract, without
 * any index: what the fast evaluator is compared with. Slow on purpose; shares no code with it.
 */
#ifndef GUILDFS_TESTS_UNIT_NAIVE_H
#define GUILDFS_TESTS_UNIT_NAIVE_H

#include "tests/unit/world.h"

gfs_perms naive_effective(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                          int64_t now_ns);

bool naive_in_group(const struct world *world, gfs_id user, gfs_id group, int64_t now_ns);

/* Whether the share shows in the user's view under that place by itself. group is 0 for my and public. */
bool naive_placed(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                  enum gfs_place_kind kind, gfs_id group, int64_t now_ns);

#endif
