/*
 * Holds a file of a mount by every way in that there is, and tries them when asked to.
 *
 *     holder UID OTHER_UID FOLDER FILE SCRATCH COPY
 *
 * Works as UID; a descriptor is passed to a process of OTHER_UID. SCRATCH is a file outside of the mount, and COPY
 * one in another share, both to copy to and from. Says "ready PID PID" when it holds
 * everything. Then each line on standard input is the name of a way, or "all"; the answer is "NAME OUTCOME", with
 * "ok", "EACCES" and the like, "SIGBUS", "EOF", or "n/a" when the way was closed from the beginning.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, END_OF_FILE = 10000, BUS_ERROR = 10001 };

static const char *file, *path;
static int reading, writing, folder, listing, path_only, scratch, copy, pipe_ends[2], asks[2];
static volatile char *shared, *untouched, *private_copy;
static sigjmp_buf fault;

static void on_fault(int number) {
    (void)number;
    siglongjmp(fault, 1);
}

static int outcome(long result) {
    return result < 0 ? errno : 0;
}

/* What reads must bring something. */
static int bytes(ssize_t result) {
    return result < 0 ? errno : result == 0 ? END_OF_FILE : 0;
}

static int close_again(int fd) {
    int code = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

static int by_stat(void) {
    struct stat st;
    return outcome(stat(path, &st));
}

static int by_open(void) {
    return close_again(open(path, O_RDONLY));
}

static int by_read(void) {
    char byte;
    return bytes(pread(reading, &byte, 1, 0));
}

static int by_write(void) {
    return bytes(pwrite(writing, "w", 1, 1));
}

static int by_fstat(void) {
    struct stat st;
    return outcome(syscall(SYS_newfstatat, reading, "", &st, AT_EMPTY_PATH));
}

static int by_truncate(void) {
    return outcome(ftruncate(writing, PAGE * PAGES));
}

static int by_openat(void) {
    return close_again(openat(folder, file, O_RDONLY));
}

static int by_readdir(void) {
    char room[PAGE];
    lseek(listing, 0, SEEK_SET);
    long length = syscall(SYS_getdents64, listing, room, sizeof room);
    if (length < 0)
        return errno;
    for (long at = 0; at < length; at += ((struct dirent64 *)(void *)(room + at))->d_reclen)
        if (strcmp(((struct dirent64 *)(void *)(room + at))->d_name, file) == 0)
            return 0;
    return END_OF_FILE; /* it is listed no more */
}

static int by_cwd(void) {
    return close_again(open(file, O_RDONLY));
}

static int by_fchdir(void) {
    int code = outcome(fchdir(folder));
    return code ? code : by_cwd();
}

static int reopen(int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return close_again(open(link, O_RDONLY));
}

static int by_proc(void) {
    return reopen(reading);
}

static int by_path_descriptor(void) {
    return reopen(path_only);
}

static int by_passed_descriptor(void) {
    int code = EPIPE;
    if (write(asks[0], "?", 1) != 1 || read(asks[0], &code, sizeof code) != sizeof code)
        return EPIPE;
    return code;
}

static int by_splice(void) {
    off_t offset = 0;
    char byte;
    int code = bytes(splice(reading, &offset, pipe_ends[1], NULL, 1, 0));
    if (!code && read(pipe_ends[0], &byte, 1) != 1)
        return EIO;
    return code;
}

static int by_sendfile(void) {
    off_t offset = 0;
    lseek(scratch, 0, SEEK_SET);
    return bytes(sendfile(scratch, reading, &offset, 1));
}

static int by_copy_from(void) {
    off_t from = 0, to = 0;
    return bytes(copy_file_range(reading, &from, copy, &to, 1, 0));
}

static int by_copy_to(void) {
    off_t from = 0, to = 1;
    return bytes(copy_file_range(copy, &from, writing, &to, 1, 0));
}

static int by_new_mapping(void) {
    volatile char *made = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reading, 0);
    int code = 0;
    if (made == MAP_FAILED)
        return errno;
    if (sigsetjmp(fault, 1))
        code = BUS_ERROR;
    else
        (void)made[0];
    munmap((void *)(uintptr_t)made, PAGE);
    return code;
}

static int touch(volatile char *byte, int write_it) {
    if (sigsetjmp(fault, 1))
        return BUS_ERROR;
    if (write_it)
        *byte = 'm';
    else
        (void)*byte;
    return 0;
}

static int by_mapping_read(void) {
    return touch(shared, 0);
}

static int by_mapping_write(void) {
    return touch(shared + 2, 1);
}

static int by_private_mapping(void) {
    return touch(private_copy, 0);
}

static int by_untouched_page(void) {
    static int next;
    return touch(untouched + (1 + next++ % (PAGES - 1)) * PAGE, 0);
}

static const struct {
    const char *name;
    int (*try)(void);
} ways[] = {
    {"stat", by_stat},
    {"open", by_open},
    {"read", by_read},
    {"write", by_write},
    {"fstat", by_fstat},
    {"ftruncate", by_truncate},
    {"openat", by_openat},
    {"readdir", by_readdir},
    {"cwd", by_cwd},
    {"fchdir", by_fchdir},
    {"proc-fd", by_proc},
    {"o-path", by_path_descriptor},
    {"passed", by_passed_descriptor},
    {"splice", by_splice},
    {"sendfile", by_sendfile},
    {"copy-from", by_copy_from},
    {"copy-to", by_copy_to},
    {"mmap-new", by_new_mapping},
    {"mmap-read", by_mapping_read},
    {"mmap-write", by_mapping_write},
    {"mmap-untouched", by_untouched_page},
    {"mmap-private", by_private_mapping},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void become(uid_t uid) {
    if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
        exit(3);
}

/* Another person's process: takes a descriptor, and reads by it whenever it is asked. */
static void receive_and_read(uid_t uid, int socket) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = -1;

    close(asks[0]);
    become(uid);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* another uid clears it */
    if (recvmsg(socket, &message, 0) < 1)
        exit(3);
    if (control.header.cmsg_type != SCM_RIGHTS)
        exit(3);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    while (read(socket, &byte, 1) == 1) {
        int code = bytes(pread(fd, &byte, 1, 0));
        if (write(socket, &code, sizeof code) != sizeof code)
            break;
    }
    exit(0);
}

static void pass(int socket, int fd) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    if (sendmsg(socket, &message, 0) < 0)
        exit(3);
}

static void *map(int fd, int protection, int flags) {
    void *area = mmap(NULL, PAGE * PAGES, protection, flags, fd, 0);
    if (area == MAP_FAILED) {
        perror("mmap");
        exit(3);
    }
    madvise(area, PAGE * PAGES, MADV_RANDOM);
    return area;
}

static void hold(const char *where, const char *scratch_file, const char *copy_file) {
    reading = open(path, O_RDONLY);
    writing = open(path, O_RDWR);
    folder = open(where, O_RDONLY | O_DIRECTORY);
    listing = open(where, O_RDONLY | O_DIRECTORY);
    path_only = open(path, O_PATH);
    scratch = open(scratch_file, O_RDWR | O_CREAT, 0600);
    copy = open(copy_file, O_RDWR | O_CREAT, 0600);
    if (copy < 0 || reading < 0 || writing < 0 || folder < 0 || listing < 0 || path_only < 0 || scratch < 0 ||
        chdir(where) || pipe(pipe_ends) || write(scratch, "s", 1) != 1 || pwrite(copy, "s", 1, 0) != 1) {
        perror("hold");
        exit(3);
    }
    shared = map(writing, PROT_READ | PROT_WRITE, MAP_SHARED);
    untouched = map(reading, PROT_READ, MAP_SHARED);
    private_copy = map(reading, PROT_READ, MAP_PRIVATE);
    pass(asks[0], reading);
}

static const char *name_of(int code) {
    return code == 0 ? "ok" : code == END_OF_FILE ? "EOF" : code == BUS_ERROR ? "SIGBUS" : strerrorname_np(code);
}

static void answer(const char *asked, const int *closed) {
    for (int i = 0; i < WAYS; i++)
        if (strcmp(asked, ways[i].name) == 0 || strcmp(asked, "all") == 0)
            printf("%s %s\n", ways[i].name, closed[i] ? "n/a" : name_of(ways[i].try()));
    fflush(stdout);
}

int main(int argc, char **argv) {
    int closed[WAYS];
    char line[64], whole[4096];

    if (argc != 7 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, asks))
        return 2;
    file = argv[4];
    snprintf(whole, sizeof whole, "%s/%s", argv[3], file);
    path = whole;
    pid_t other = fork();
    if (other == 0)
        receive_and_read((uid_t)atoi(argv[2]), asks[1]);
    close(asks[1]);
    become((uid_t)atoi(argv[1]));
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGBUS, on_fault);
    signal(SIGSEGV, on_fault);
    signal(SIGPIPE, SIG_IGN);
    hold(argv[3], argv[5], argv[6]);
    for (int i = 0; i < WAYS; i++)
        closed[i] = ways[i].try();
    printf("ready %d %d\n", getpid(), other);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(line, closed);
    }
    return 0;
}
