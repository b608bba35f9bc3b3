#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guildfs/admin.h"

/* Who logged in, however often su and sudo were used since (loginuid, credentials(7)); "-" when
 * nobody did. */
static void login_uid(char *text, size_t size) {
    snprintf(text, size, "-");
    int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    char digits[16];
    ssize_t length = fd < 0 ? -1 : read(fd, digits, sizeof(digits) - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return;
    digits[length] = '\0';
    digits[strcspn(digits, "\n")] = '\0';
    if (strcmp(digits, "4294967295") != 0)
        snprintf(text, size, "%s", digits);
}

void gfs_actor_origin(struct gfs_actor *actor) {
    char tty[48], host[65] = "-", login[16];
    /* By the terminal of any standard stream: one of them may be redirected. */
    bool known = ttyname_r(STDIN_FILENO, tty, sizeof(tty)) == 0 || ttyname_r(STDERR_FILENO, tty, sizeof(tty)) == 0;
    if (gethostname(host, sizeof(host) - 1) < 0)
        snprintf(host, sizeof(host), "-");
    login_uid(login, sizeof(login));
    snprintf(actor->from, sizeof(actor->from), "cli tty=%s pid=%ld host=%s login=%s", known ? tty : "-", (long)getpid(),
             host, login);
}
