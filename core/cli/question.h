/* One question of `guildfs check`: may this user do this there? */
#ifndef GUILDFS_CLI_QUESTION_H
#define GUILDFS_CLI_QUESTION_H

#include "core/cli/locate.h"

struct cli_question {
    const char *user, *op, *path;
    const char *to; /* the second path of rename, exchange and link; NULL */
};

struct cli_answer {
    struct gfs_decision decision;
    enum gfs_op op;              /* the one that was judged last; for a rename one of its parts */
    struct gfs_facts facts;      /* of the object that was judged */
    const struct gfs_user *user; /* lent by the snapshot, like the share */
    const struct gfs_share *share;
};

/* Whether it can be a question at all: an operation that there is, with the paths that it takes.
 * -EINVAL. cli_ask() asks this too; here it is for who wants to know before the policy is loaded. */
int cli_question_check(const struct cli_question *question, struct gfs_error *err) GFS_MUST_CHECK;

/* 0 with an answer, allowed or denied; or an error: no such user, operation or share (-ENOENT,
 * -EINVAL), a backing that cannot be read (-EIO). */
int cli_ask(const struct gfs_snapshot *snapshot, const struct cli_question *question, struct cli_answer *out,
            struct gfs_error *err) GFS_MUST_CHECK;

#endif
