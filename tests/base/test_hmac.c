/* HMAC-SHA256 against the vectors of RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/hmac.h"

#include <string.h>

static void expect(struct span key, struct span data, const char *wanted)
{
    char hex[HMAC_HEX_BYTES];
    assert_int_equal(hmac_sha256(key, data, hex), 0);
    assert_string_equal(hex, wanted);
}

static void vectors_of_rfc_4231(void **state)
{
    (void)state;
    char key[131], data[50];
    memset(key, 0x0b, 20);
    expect(span_of(key, 20), SPAN("Hi There"),
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect(SPAN("Jefe"), SPAN("what do ya want for nothing?"),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    expect(span_of(key, 20), span_of(data, sizeof data),
           "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    expect(span_of(key, sizeof key), SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* As `printf '' | openssl dgst -sha256 -hmac ''` has it. */
static void nothing_at_all(void **state)
{
    (void)state;
    expect(span_of(NULL, 0), span_of(NULL, 0),
           "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_rfc_4231),
                                       cmocka_unit_test(nothing_at_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
