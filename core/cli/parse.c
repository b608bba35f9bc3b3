/* From the command line to a call. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli.h"
#include "core/cli/nearest.h"

#define DEFAULT_STORE "/var/lib/guildfs"
#define LONG_OPTION_BASE 256 /* above every short option's character */
#define OPTION_KINDS 32      /* that one command may have, the global ones included */

/* What getopt_long(3) wants, made from the table. */
struct getopt_options {
    char short_options[2 * OPTION_KINDS + 3];
    struct option long_options[OPTION_KINDS + 1];
    const struct cli_option *by_index[OPTION_KINDS];
    size_t count;
};

static void getopt_add(struct getopt_options *options, const struct cli_option *added) {
    for (; added && added->name && options->count < OPTION_KINDS; added++) {
        if (added->name[1] == '\0') {
            strncat(options->short_options, added->name, 1);
            strcat(options->short_options, added->value ? ":" : "");
            options->long_options[options->count] = (struct option){.name = "", .val = added->name[0]};
        } else {
            options->long_options[options->count] = (struct option){
                .name = added->name,
                .has_arg = added->value ? required_argument : no_argument,
                .val = LONG_OPTION_BASE + (int)options->count,
            };
        }
        options->by_index[options->count++] = added;
    }
}

static const struct cli_option *getopt_found(const struct getopt_options *options, int found) {
    for (size_t i = 0; i < options->count; i++) {
        if (options->long_options[i].val == found)
            return options->by_index[i];
    }
    return NULL;
}

const struct cli_command *cli_command_find(const char *noun, const char *verb) {
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        if (strcmp(command->noun, noun) != 0)
            continue;
        if (!command->verb || (verb && strcmp(command->verb, verb) == 0))
            return command;
    }
    return NULL;
}

const char *cli_option_at(const struct cli_call *call, const char *name, size_t n) {
    for (size_t i = 0; i < call->option_count; i++) {
        if (strcmp(call->options[i].name, name) == 0 && n-- == 0)
            return call->options[i].value;
    }
    return NULL;
}

const char *cli_option(const struct cli_call *call, const char *name) {
    const char *last = NULL;
    for (size_t i = 0; i < call->option_count; i++) {
        if (strcmp(call->options[i].name, name) == 0)
            last = call->options[i].value;
    }
    return last;
}

/* How a wrong option reads on the command line: "--frob" or "-x". */
static void wrong_option(char **argv, char *text, size_t size) {
    if (optopt > 0 && optopt < LONG_OPTION_BASE)
        snprintf(text, size, "-%c", optopt);
    else
        snprintf(text, size, "%s", argv[optind - 1]);
}

/* Reads options until the first word (leading) or to the end. Returns false when the usage is
 * wrong, which was then reported. */
static bool read_options(struct cli_call *call, int argc, char **argv, struct getopt_options *options) {
    char text[256];
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, options->short_options, options->long_options, NULL)) != -1) {
        if (found == '?' || found == ':') {
            wrong_option(argv, text, sizeof(text));
            cli_usage_error(
                call, found == ':' ? "the option %s needs a value; see --help" : "unknown option %s; see --help", text);
            return false;
        }
        const struct cli_option *option = getopt_found(options, found);
        if (!option || call->option_count == CLI_MAX_OPTIONS) {
            cli_usage_error(call, "too many options (at most %d)", CLI_MAX_OPTIONS);
            return false;
        }
        call->options[call->option_count].name = option->name;
        call->options[call->option_count++].value = optarg ? optarg : "";
        /* From here on errors are reported in the form that was asked for. */
        call->json = call->json || strcmp(option->name, "json") == 0;
    }
    return true;
}

static void unknown_noun(const struct cli_call *call, const char *word) {
    struct cli_nearest nearest = cli_nearest_begin(word);
    for (size_t i = 0; i < cli_command_count; i++)
        cli_nearest_offer(&nearest, cli_commands[i].noun);
    if (nearest.best)
        cli_usage_error(call, "unknown command \"%s\"; did you mean \"%s\"?", word, nearest.best);
    else
        cli_usage_error(call, "unknown command \"%s\"; see guildfs --help", word);
}

static void unknown_verb(const struct cli_call *call, const char *noun, const char *word) {
    char verbs[256] = "";
    struct cli_nearest nearest = cli_nearest_begin(word ? word : "");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) != 0)
            continue;
        cli_nearest_offer(&nearest, cli_commands[i].verb);
        size_t length = strlen(verbs);
        snprintf(verbs + length, sizeof(verbs) - length, "%s%s", length ? ", " : "", cli_commands[i].verb);
    }
    if (word && nearest.best)
        cli_usage_error(call, "unknown command \"%s %s\"; did you mean \"%s %s\"?", noun, word, noun, nearest.best);
    else
        cli_usage_error(call, "what to do with \"%s\"? One of: %s", noun, verbs);
}

static bool is_noun(const char *word) {
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, word) == 0)
            return true;
    }
    return false;
}

/* The words of the command, from argv[optind] on. NULL when the call is over, by help or error. */
static const struct cli_command *read_command(struct cli_call *call, int argc, char **argv, enum gfs_exit *exit_code) {
    const char *noun = optind < argc ? argv[optind++] : NULL;
    if (!noun) {
        *exit_code = cli_usage_error(call, "no command; see guildfs --help");
        return NULL;
    }
    const char *verb = optind < argc ? argv[optind] : NULL;
    const struct cli_command *command = cli_command_find(noun, verb);
    if (command) {
        optind += command->verb != NULL;
        return command;
    }
    *exit_code = GFS_EXIT_USAGE;
    if (!is_noun(noun)) {
        unknown_noun(call, noun);
    } else if (verb && (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)) {
        cli_help_noun(noun);
        *exit_code = GFS_EXIT_DONE;
    } else {
        unknown_verb(call, noun, verb);
    }
    return NULL;
}

static bool check_count(struct cli_call *call) {
    const struct cli_command *command = call->command;
    int count = call->argument_count;
    if (count >= command->min_arguments && (command->max_arguments < 0 || count <= command->max_arguments))
        return true;
    char usage[1024];
    cli_usage_format(command, usage, sizeof(usage));
    cli_usage_error(call, "%s; usage: %s", count < command->min_arguments ? "something is missing" : "too many words",
                    usage);
    return false;
}

static void settle(struct cli_call *call) {
    const char *directory = cli_option(call, "store");
    if (!directory)
        directory = getenv("GUILDFS_STORE");
    call->store_directory = directory && *directory ? directory : DEFAULT_STORE;
    call->as = cli_option(call, "as");
}

bool cli_parse(int argc, char **argv, struct cli_call *call, enum gfs_exit *exit_code) {
    *call = (struct cli_call){0};
    *exit_code = GFS_EXIT_USAGE;
    struct getopt_options global = {.short_options = "+:"};
    getopt_add(&global, cli_global_options);
    optind = 0; /* GNU: start anew */
    if (!read_options(call, argc, argv, &global))
        return false;
    if (cli_option(call, "help") || cli_option(call, "version")) {
        if (cli_option(call, "help"))
            cli_help_all();
        else
            printf("guildfs %s\n", GUILDFS_VERSION);
        *exit_code = GFS_EXIT_DONE;
        return false;
    }

    call->command = read_command(call, argc, argv, exit_code);
    if (!call->command)
        return false;
    /* getopt looks at argv[1] first, so it is given the last word of the command as its argv[0]. */
    int used = optind - 1;
    argc -= used;
    argv += used;
    struct getopt_options all = {.short_options = ":"};
    getopt_add(&all, call->command->options);
    getopt_add(&all, cli_global_options);
    optind = 0;
    if (!read_options(call, argc, argv, &all))
        return false;
    if (cli_option(call, "help")) {
        cli_help_command(call->command);
        *exit_code = GFS_EXIT_DONE;
        return false;
    }
    call->arguments = argv + optind;
    call->argument_count = argc - optind;
    settle(call);
    return check_count(call);
}
