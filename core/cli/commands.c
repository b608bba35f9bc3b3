/* The command table. */
#include "core/cli/commands.h"

const struct cli_option cli_global_options[] = {
    {"store", "DIR", "the store (default: $GUILDFS_STORE, else /var/lib/guildfs)"},
    {"json", NULL, "answer, and report errors, as JSON"},
    {"as", "USER", "act as this person; only root may act as the system administrator"},
    {"wait", NULL, "end only when every mount on this host has the change in force, and say how long it took"},
    {"help", NULL, "print help"},
    {"version", NULL, "print the version (before the command)"},
    {0},
};

static const struct cli_option user_add_options[] = {
    {"uid", "N", "the user's uid on this host (default: that of the account of this name, if there is one)"},
    {"gid", "N", "the user's gid on this host (default: that account's group, else the uid)"},
    {0},
};

static const struct cli_option user_set_options[] = {
    {"uid", "N", "the user's uid on this host, or none"},
    {"gid", "N", "the user's gid on this host, or none"},
    {"status", "STATUS", "active, or suspended: holds nothing"},
    {0},
};

static const struct cli_option member_add_options[] = {
    {"role", "ROLE", "member (default), admin or owner"},
    {"until", "TIME", "when the membership ends: RFC 3339, or +DURATION"},
    {0},
};

#define SHARE_OPTIONS                                                                                                  \
    {"group", "GROUP", "the group that the share belongs to"},                                                         \
        {"kind", "KIND", "files (default), volume, database, image or capsule"},                                       \
        {"owner", "USER", "the user who holds all permissions"},                                                       \
        {"set", "KEY=VALUE", "an option of the share, as for share set; may be given several times"}, {                \
        0                                                                                                              \
    }

static const struct cli_option share_add_options[] = {
    {"node", "NODE", "the node that holds the data (default: \"default\")"},
    {"in", "PATH", "nest the share in another: SHARE/path/in/share, existing or new"},
    SHARE_OPTIONS,
};

static const struct cli_option share_adopt_options[] = {
    {"name", "NAME", "the share's name; must be given"},
    {"in", "SHARE", "allow a directory that lies in this share, and nest it there"},
    SHARE_OPTIONS,
};

static const struct cli_option grant_options[] = {
    {"until", "TIME", "when the authorization ends: RFC 3339, or +DURATION"},
    {0},
};

static const struct cli_option check_options[] = {
    {"to", "PATH", "the second path of rename, exchange and link"},
    {"explain", NULL, "say why: what was needed, and which authorization gave what"},
    {"batch", "FILE", "answer many questions: one USER OP PATH [to PATH] a line (- reads standard input)"},
    {0},
};

static const struct cli_option audit_options[] = {
    {"user", "USER", "by this user, or about the user"},
    {"share", "SHARE", "in this share, or about it"},
    {"path", "PATH", "a path in a share and what lies below it, or a pattern: *.tmp"},
    {"operation", "OP", "one operation on files, or an act of administration: grant.set"},
    {"denied", NULL, "only what was refused"},
    {"since", "TIME", "from this time on: RFC 3339, or a DURATION ago"},
    {"until", "TIME", "up to this time"},
    {"limit", "N", "the newest N (default: 1000), or none for all"},
    {"files-only", NULL, "only what was done on mounts"},
    {"store-only", NULL, "only what was administered"},
    {0},
};

static const struct cli_option mount_options[] = {
    {"o", "OPTIONS", "mount options, separated by commas; see guildfsd(8)"},
    {"f", NULL, "stay in the foreground"},
    {0},
};

static const struct cli_option umount_options[] = {
    {"lazy", NULL, "detach a busy mount now, and end it when nobody uses it any more"},
    {"force", NULL, "end its connection first: for a daemon that does not answer"},
    {0},
};

const struct cli_command cli_commands[] = {
    {"init", NULL, "STORE", 1, 1, NULL, "Make a new store", cli_init},
    {"user", "add", "NAME", 1, 1, user_add_options, "Add a user", cli_user_add},
    {"user", "list", "", 0, 0, NULL, "List the users", cli_user_list},
    {"user", "show", "USER", 1, 1, NULL, "Show a user and the groups of the user", cli_user_show},
    {"user", "set", "USER", 1, 1, user_set_options, "Change a user", cli_user_set},
    {"group", "add", "NAME", 1, 1, NULL, "Add a group", cli_group_add},
    {"group", "list", "", 0, 0, NULL, "List the groups", cli_group_list},
    {"group", "show", "GROUP", 1, 1, NULL, "Show a group, its members and its shares", cli_group_show},
    {"member", "add", "GROUP USER", 2, 2, member_add_options, "Make a user a member of a group, or change how",
     cli_member_add},
    {"member", "remove", "GROUP USER", 2, 2, NULL, "Take a user out of a group", cli_member_remove},
    {"member", "list", "GROUP", 1, 1, NULL, "List the members of a group", cli_member_list},
    {"share", "add", "NAME", 1, 1, share_add_options, "Add a share, and make its directory", cli_share_add},
    {"share", "adopt", "DIRECTORY", 1, 1, share_adopt_options, "Make an existing directory a share", cli_share_adopt},
    {"share", "list", "", 0, 0, NULL, "List the shares", cli_share_list},
    {"share", "show", "SHARE", 1, 1, NULL, "Show a share and its authorizations", cli_share_show},
    {"share", "set", "SHARE KEY=VALUE...", 2, -1, NULL, "Change a share", cli_share_set},
    {"grant", NULL, "SUBJECT SHARE PERMS", 3, 3, grant_options,
     "Give a subject permissions on a share, besides what it has", cli_grant},
    {"revoke", NULL, "SUBJECT SHARE [PERMS]", 2, 3, NULL,
     "Take permissions, or the whole authorization, from a subject", cli_revoke},
    {"check", NULL, "USER OP PATH", 0, 3, check_options, "Say whether a user may do something", cli_check},
    {"who", NULL, "PATH", 1, 1, NULL, "List everybody who holds any permission on a path, and why", cli_who},
    {"audit", NULL, "", 0, 0, audit_options, "Search what was administered, and what was done and refused on mounts",
     cli_audit},
    {"mount", NULL, "STORE DIR", 2, 2, mount_options, "Mount the views of a store on a directory", cli_mount},
    {"umount", NULL, "DIR", 1, 1, umount_options, "End a mount", cli_umount},
    {"status", NULL, "[DIR]", 0, 1, NULL, "Show the mounts of this host, or one of them", cli_status},
    {"completion", NULL, "SHELL", 1, 1, NULL, "Print a completion script for bash or zsh", cli_completion},
};

const size_t cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);
