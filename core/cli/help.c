/* --help, from the command table. */
#include <stdio.h>
#include <string.h>

#include "core/cli/cli.h"

void cli_usage_format(const struct cli_command *command, char *text, size_t size) {
    char *end = text + size;
    text += snprintf(text, size, "guildfs %s%s%s%s%s", command->noun, command->verb ? " " : "",
                     command->verb ? command->verb : "", *command->arguments ? " " : "", command->arguments);
    for (const struct cli_option *option = command->options; option && option->name && text < end; option++) {
        text += snprintf(text, (size_t)(end - text), " [%s%s%s%s]", option->name[1] ? "--" : "-", option->name,
                         option->value ? " " : "", option->value ? option->value : "");
    }
}

static void print_options(const struct cli_option *option) {
    for (; option && option->name; option++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s%s", option->name[1] ? "--" : "-", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-26s %s\n", left, option->help);
    }
}

static void print_summary(const struct cli_command *command) {
    char left[128];
    snprintf(left, sizeof(left), "%s%s%s%s%s", command->noun, command->verb ? " " : "",
             command->verb ? command->verb : "", *command->arguments ? " " : "", command->arguments);
    if (strlen(left) > 34)
        printf("  %s\n  %-34s %s\n", left, "", command->summary);
    else
        printf("  %-34s %s\n", left, command->summary);
}

void cli_help_all(void) {
    printf("Usage: guildfs [--store DIR] [--json] [--as USER] [--wait] COMMAND ...\n\n"
           "Shared directories with content permissions.\n\nCommands:\n");
    for (size_t i = 0; i < cli_command_count; i++)
        print_summary(&cli_commands[i]);
    printf("\nOptions, before or after every command:\n");
    print_options(cli_global_options);
    printf("\nguildfs COMMAND --help tells a command's options; guildfs(1) tells all.\n"
           "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied.\n");
}

void cli_help_noun(const char *noun) {
    printf("Commands:\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) == 0)
            print_summary(&cli_commands[i]);
    }
}

void cli_help_command(const struct cli_command *command) {
    char usage[1024];
    cli_usage_format(command, usage, sizeof(usage));
    printf("Usage: %s\n\n%s.\n", usage, command->summary);
    if (command->options) {
        printf("\nOptions:\n");
        print_options(command->options);
    }
    printf("\nOptions of every command:\n");
    print_options(cli_global_options);
}
