/* guildfs: administration on the command line. Never links libfuse. */
#include <locale.h>
#include <signal.h>

#include "core/cli/cli.h"
#include "core/cli/wait.h"

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, "");
    /* A reader that went away ("guildfs user list | head") is an error of writing, not a death. */
    signal(SIGPIPE, SIG_IGN);
    struct cli_call call;
    enum gfs_exit exit_code;
    if (!cli_parse(argc, argv, &call, &exit_code))
        return (int)exit_code;
    exit_code = call.command->run(&call);
    if (exit_code == GFS_EXIT_DONE && cli_option(&call, "wait"))
        exit_code = cli_wait(&call);
    return (int)exit_code;
}
