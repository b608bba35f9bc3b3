/*
 * Prints the table of guildfs-permissions(7) from the table that decides, as it must stand in the
 * page (scdoc). `tests/lint/permission-page` compares the two.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guildfs/op.h"

static const char *errno_text(int error) {
    switch (error) {
    case EACCES:
        return "EACCES";
    case ENOENT:
        return "ENOENT";
    case EPERM:
        return "EPERM";
    default:
        return strerror(error);
    }
}

static void print_perms(gfs_perms perms) {
    char text[GFS_PERMS_TEXT_SIZE];

    if (perms & GFS_NOBODY) {
        printf(":[ nobody\n");
        return;
    }
    gfs_perms_format(perms, text);
    printf(":[ ");
    for (const char *at = text; *at; at++)
        printf("%c%s", *at, *at == ',' ? " " : "");
    putchar('\n');
}

static void print_row(enum gfs_op op) {
    const struct gfs_rule rule = gfs_op_rule(op);

    printf("|[ *%s*\n", gfs_op_name(op));
    print_perms(rule.existing);
    print_perms(rule.pending_file);
    print_perms(rule.pending_folder);
    printf(":[ %s\n", errno_text(rule.denied));
    printf(":[ %s%s%s%s\n", rule.sight ? "S" : "", rule.overwrites ? "O" : "", rule.changes ? "C" : "",
           rule.grows ? "G" : "");
}

int main(void) {
    printf("|[ *operation*\n:[ *needs*\n:[ *own pending file*\n:[ *own empty folder*\n:[ *denied*\n:[ *notes*\n");
    for (enum gfs_op op = 0; op < GFS_OP_COUNT; op++)
        print_row(op);
    return fflush(stdout) == 0 ? 0 : 1;
}
