/* Against the vectors that xxHash publishes with its own sanity check (buffer and values). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "guildfs/hash.h"

#define SANITY_SIZE_BYTES 2367

static unsigned char sanity[SANITY_SIZE_BYTES];

static int fill_sanity_buffer(void **state) {
    uint64_t generator = 2654435761u;

    (void)state;
    for (size_t i = 0; i < sizeof(sanity); i++) {
        sanity[i] = (unsigned char)(generator >> 56);
        generator *= 11400714785074694797u;
    }
    return 0;
}

static void hash64_is_xxh3(void **state) {
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {
        {0, 0x2d06800538d394c2},   {1, 0xc44bdff4074eecdb},    {6, 0x27b56a84cd2d7325},    {12, 0xa713daf0dfbb77e7},
        {24, 0xa3fe70bf9d3510eb},  {48, 0x397da259ecba1f11},   {80, 0xbcdefbbb2c47c90a},   {195, 0xcd94217ee362ec3a},
        {403, 0xcdeb804d65c6dea4}, {2048, 0xdd59e2c3a5f038e0}, {2240, 0x6e73a90539cf2948}, {2367, 0xcb37aeb9e5d361ed},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(gfs_hash64(sanity, vectors[i].size) == vectors[i].hash);
}

static int make_file(const void *bytes, size_t size) {
    int fd = memfd_create("hash", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    return fd;
}

static void hash_of_a_file_is_what_xxh128sum_prints(void **state) {
    static const struct {
        size_t size;
        const char *text;
    } vectors[] = {
        {0, "99aa06d3014798d86001c324468d497f"},    {1, "a6cd5e9392000f6ac44bdff4074eecdb"},
        {6, "082afe0b8162d12a3e7039bdda43cfc6"},    {12, "6e3efd8fc7802b18061a192713f69ad9"},
        {24, "0ce966e4678d37611e7044d28b1b901d"},   {48, "a002ac4e5478227ef942219aed80f67b"},
        {403, "1b6de21e332dd73dcdeb804d65c6dea4"},  {2048, "f736557fd47073a5dd59e2c3a5f038e0"},
        {2240, "ccb134fbfa7ce49d6e73a90539cf2948"}, {2367, "e89c0f6ff369b427cb37aeb9e5d361ed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char text[GFS_XXH3_TEXT_SIZE];
        int fd = make_file(sanity, vectors[i].size);

        /* From the beginning, wherever the descriptor stands, and without moving it. */
        assert_int_equal(lseek(fd, 0, SEEK_CUR), vectors[i].size);
        assert_int_equal(gfs_hash_fd(fd, text), 0);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), vectors[i].size);
        close(fd);
    }
}

/* Several reads must give what one gives. 600,000 zero bytes: `head -c 600000 /dev/zero | xxh128sum`. */
static void a_large_file_is_hashed_whole(void **state) {
    const size_t size = 600000;
    unsigned char *bytes = calloc(size, 1);
    char whole[GFS_XXH3_TEXT_SIZE], shorter[GFS_XXH3_TEXT_SIZE];

    (void)state;
    assert_non_null(bytes);
    int fd = make_file(bytes, size);
    assert_int_equal(gfs_hash_fd(fd, whole), 0);
    assert_string_equal(whole, "8dc17278e49780d1fdcf10cd2145ac95");
    assert_int_equal(ftruncate(fd, (off_t)size - 1), 0);
    assert_int_equal(gfs_hash_fd(fd, shorter), 0);
    assert_string_not_equal(whole, shorter);
    close(fd);
    free(bytes);
}

static void what_cannot_be_read_is_an_error(void **state) {
    char text[GFS_XXH3_TEXT_SIZE] = "as it was";
    int fd = open("/", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(gfs_hash_fd(-1, text), -EBADF);
    assert_int_equal(gfs_hash_fd(fd, text), -EISDIR);
    assert_string_equal(text, "as it was");
    close(fd);
}

static void pairs_are_mixed(void **state) {
    enum { SIDE = 256, BUCKETS = 64 };
    unsigned buckets[BUCKETS] = {0};

    (void)state;
    assert_true(gfs_hash_pair(1, 2) != gfs_hash_pair(2, 1));
    assert_true(gfs_hash_pair(0, 0) == gfs_hash_pair(0, 0));
    /* Device and inode numbers are small and dense; their hashes must not be. 1024 are expected in each. */
    for (uint64_t a = 0; a < SIDE; a++)
        for (uint64_t b = 0; b < SIDE; b++)
            buckets[gfs_hash_pair(a, b) % BUCKETS]++;
    for (size_t i = 0; i < BUCKETS; i++)
        assert_in_range(buckets[i], 800, 1250);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash64_is_xxh3),
        cmocka_unit_test(hash_of_a_file_is_what_xxh128sum_prints),
        cmocka_unit_test(a_large_file_is_hashed_whole),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(pairs_are_mixed),
    };

    return cmocka_run_group_tests(tests, fill_sanity_buffer, NULL);
}
