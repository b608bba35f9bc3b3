/* guildfs init. */
#include <errno.h>
#include <unistd.h>

#include "core/cli/commands.h"
#include "core/cli/output.h"
#include "guildfs/admin.h"

enum gfs_exit cli_init(struct cli_call *call) {
    struct gfs_error err;
    struct gfs_actor actor;
    int rc = cli_actor(call, &actor, &err);
    /* Where there is no store yet there is nobody who could act but the system administrator. */
    if (rc == 0 && call->as)
        rc = gfs_error_set(&err, EPERM, "only the system administrator may make a store; leave out --as");
    if (rc == 0)
        rc = gfs_store_init(call->arguments[0], &err);
    if (rc < 0)
        return cli_fail(call, &err);
    return cli_print_done(call, json_pack("{s:o}", "store", cli_json_text(call->arguments[0])));
}
