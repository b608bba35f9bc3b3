/* What runs each command; one file per noun. */
#ifndef GUILDFS_CLI_COMMANDS_H
#define GUILDFS_CLI_COMMANDS_H

#include "core/cli/cli.h"

/* store_command.c */
enum gfs_exit cli_init(struct cli_call *call);

/* user_command.c */
enum gfs_exit cli_user_add(struct cli_call *call);
enum gfs_exit cli_user_list(struct cli_call *call);
enum gfs_exit cli_user_show(struct cli_call *call);
enum gfs_exit cli_user_set(struct cli_call *call);

/* group_command.c */
enum gfs_exit cli_group_add(struct cli_call *call);
enum gfs_exit cli_group_list(struct cli_call *call);
enum gfs_exit cli_group_show(struct cli_call *call);

/* member_command.c */
enum gfs_exit cli_member_add(struct cli_call *call);
enum gfs_exit cli_member_remove(struct cli_call *call);
enum gfs_exit cli_member_list(struct cli_call *call);

/* share_command.c */
enum gfs_exit cli_share_add(struct cli_call *call);
enum gfs_exit cli_share_adopt(struct cli_call *call);
enum gfs_exit cli_share_list(struct cli_call *call);
enum gfs_exit cli_share_show(struct cli_call *call);
enum gfs_exit cli_share_set(struct cli_call *call);

/* grant_command.c */
enum gfs_exit cli_grant(struct cli_call *call);
enum gfs_exit cli_revoke(struct cli_call *call);

/* check_command.c, who_command.c */
enum gfs_exit cli_check(struct cli_call *call);
enum gfs_exit cli_who(struct cli_call *call);

/* audit_command.c */
enum gfs_exit cli_audit(struct cli_call *call);

/* mount_command.c, status_command.c */
enum gfs_exit cli_mount(struct cli_call *call);
enum gfs_exit cli_umount(struct cli_call *call);
enum gfs_exit cli_status(struct cli_call *call);

/* complete.c */
enum gfs_exit cli_completion(struct cli_call *call);

#endif
