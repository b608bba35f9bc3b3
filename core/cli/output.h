/*
 * Answers. A command builds its answer once, as JSON; without --json the same value is printed
 * as a table (an array of objects) or as one field a line (an object).
 */
#ifndef GUILDFS_CLI_OUTPUT_H
#define GUILDFS_CLI_OUTPUT_H

#include <jansson.h>

#include "core/cli/cli.h"

/* A member of the answer's objects, in the order to print. title NULL: shown with --json only. */
struct cli_column {
    const char *key, *title;
};

/* Text as a JSON string; bytes that are no UTF-8 become U+FFFD. Never NULL but when memory is
 * out. NULL text is JSON's null. */
json_t *cli_json_text(const char *text);
/* RFC 3339, UTC, whole seconds; null for GFS_NEVER and for 0. */
json_t *cli_json_time(int64_t ns);
/* Array of the permissions' names, in the contract's order. */
json_t *cli_json_perms(unsigned perms);

/* Print, take over the reference, and return GFS_EXIT_DONE, or GFS_EXIT_FAILED when the value is
 * NULL (memory is out) or standard output takes no more. Columns end with a NULL key. */
enum gfs_exit cli_print_list(const struct cli_call *call, json_t *list, const struct cli_column *columns);
enum gfs_exit cli_print_object(const struct cli_call *call, json_t *object, const struct cli_column *columns);
/* Ends an answer that was printed by other means. */
enum gfs_exit cli_flush(const struct cli_call *call);
/* With --json the object; without it nothing: commands that did what they were told are silent. */
enum gfs_exit cli_print_done(const struct cli_call *call, json_t *object);

#endif
