/*
 * The `guildfs` program: how a command is described, called, and answers.
 *
 * The command table (commands.c) is the one description of the command line. Parsing, --help,
 * the completions, and the test of the manual page are all driven by it.
 */
#ifndef GUILDFS_CLI_CLI_H
#define GUILDFS_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "guildfs/error.h"

struct gfs_actor;
struct gfs_store;
struct cli_call;

struct cli_option {
    const char *name;  /* one letter: -o; longer: --name */
    const char *value; /* what follows it, in capitals; NULL for a switch */
    const char *help;
};

struct cli_command {
    const char *noun;
    const char *verb;      /* NULL for a command of one word */
    const char *arguments; /* as usage shows them; optional ones in brackets */
    int min_arguments;
    int max_arguments;                /* -1: any number */
    const struct cli_option *options; /* ended by a NULL name; NULL for none */
    const char *summary;
    enum gfs_exit (*run)(struct cli_call *call);
};

/* The whole table, and the options that stand before or after every command. Static data. */
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const struct cli_option cli_global_options[];

#define CLI_MAX_OPTIONS 64 /* given in one call */

struct cli_call {
    const struct cli_command *command;
    bool json;
    const char *store_directory;
    const char *as; /* the acting person's name; NULL: the system administrator */
    int argument_count;
    char **arguments; /* borrowed from argv, like every string here */
    size_t option_count;
    struct {
        const char *name, *value;
    } options[CLI_MAX_OPTIONS];
};

/* The value of an option of the command, the last one given; NULL when it was not given, "" for
 * a switch that was. */
const char *cli_option(const struct cli_call *call, const char *name);

/* The n-th value given for an option that may be repeated; NULL after the last. */
const char *cli_option_at(const struct cli_call *call, const char *name, size_t n);

/* ---- finding and parsing (parse.c) ---- */

/* NULL when there is none. verb may be NULL. */
const struct cli_command *cli_command_find(const char *noun, const char *verb);

/* Fills call from the command line. false: the caller ends with *exit_code (help was printed, or
 * the usage is wrong and the error was reported). */
bool cli_parse(int argc, char **argv, struct cli_call *call, enum gfs_exit *exit_code);

/* ---- help and completion (help.c, complete.c) ---- */

void cli_help_all(void);
void cli_help_noun(const char *noun);
void cli_help_command(const struct cli_command *command);
/* "guildfs user add NAME [--uid N] [--gid N]", without a newline. */
void cli_usage_format(const struct cli_command *command, char *text, size_t size);

/* ---- reporting (report.c) ---- */

/* One line on standard error; with --json an object. Returns the exit code that belongs to the
 * error: EINVAL is wrong usage, EPERM a denial, everything else a failure. */
enum gfs_exit cli_fail(const struct cli_call *call, const struct gfs_error *err);
enum gfs_exit cli_usage_error(const struct cli_call *call, const char *format, ...) GFS_PRINTF(2, 3);

/* Who acts, for the audit: the person of --as, else the system administrator. Fails when the
 * caller is not root. */
int cli_actor(const struct cli_call *call, struct gfs_actor *actor, struct gfs_error *err) GFS_MUST_CHECK;

/* Opens the store of the call. */
int cli_open_store(const struct cli_call *call, bool write, struct gfs_store **store,
                   struct gfs_error *err) GFS_MUST_CHECK;

#endif
