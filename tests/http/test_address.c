/* Which addresses are public: the edges of each range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static bool is_public(const char *text)
{
    struct sockaddr_storage storage;
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&storage;
    memset(&storage, 0, sizeof storage);
    if (strchr(text, ':') == NULL) {
        storage.ss_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
    } else {
        storage.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    }
    return address_public((const struct sockaddr *)&storage);
}

static void not_public(void **state)
{
    (void)state;
    static const char *const rows[] = {"0.0.0.0",
                                       "0.255.255.255",
                                       "10.0.0.0",
                                       "10.255.255.255",
                                       "100.64.0.0",
                                       "100.127.255.255",
                                       "127.0.0.1",
                                       "127.255.255.255",
                                       "169.254.0.0",
                                       "169.254.169.254",
                                       "172.16.0.0",
                                       "172.31.255.255",
                                       "192.0.0.1",
                                       "192.0.2.1",
                                       "192.88.99.1",
                                       "192.168.0.0",
                                       "192.168.255.255",
                                       "198.18.0.0",
                                       "198.19.255.255",
                                       "198.51.100.1",
                                       "203.0.113.255",
                                       "224.0.0.1",
                                       "239.255.255.255",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "::127.0.0.1",
                                       "::8.8.8.8",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.0.0.1",
                                       "64:ff9b::192.168.1.1",
                                       "64:ff9b:1::1",
                                       "100::1",
                                       "1fff::1",
                                       "2001::1",
                                       "2001:1ff::1",
                                       "2001:db8::1",
                                       "2002:7f00:1::",
                                       "2002:808:808::",
                                       "3fff::1",
                                       "3fff:fff::1",
                                       "4000::1",
                                       "fc00::1",
                                       "fdff::1",
                                       "fe80::1",
                                       "fec0::1",
                                       "ff02::1"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (is_public(rows[i]))
            fail_msg("%s was taken for public", rows[i]);
    }
    const struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    assert_false(address_public((const struct sockaddr *)&local));
}

static void of_the_public_internet(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "1.0.0.0",          "8.8.8.8",     "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",   "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255",  "169.255.0.0", "172.15.255.255",  "172.32.0.0",
        "192.0.1.0",        "192.0.3.0",   "192.167.255.255", "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",  "223.255.255.255", "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2000::1",     "2001:200::1",     "2001:db7::1",
        "2001:db9::1",      "2003::1",     "2408:8000::1",    "3ffe::1"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!is_public(rows[i]))
            fail_msg("%s was not taken for public", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_public),
                                       cmocka_unit_test(of_the_public_internet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
