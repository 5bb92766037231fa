#include "engine/model/id.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void made_ids_parse_back(void **state)
{
    (void)state;
    struct id id, again;
    id_make(&id, SPAN("bihu"), INT64_C(1767225600123));
    assert_int_equal(id_span(&id).len, 4 + 1 + ID_ULID_BYTES);
    assert_span(id_community(&id), "bihu");
    assert_int_equal(id_ulid(&id).len, ID_ULID_BYTES);
    assert_true(id_time(&id) == INT64_C(1767225600123));
    assert_int_equal(id_parse(id_span(&id), &again), 0);
    assert_string_equal(again.text, id.text);

    const char longest[] = "abcdefghijklmnopqrstuvwxyz-_0123";
    id_make(&id, span_str(longest), 0);
    assert_int_equal(id_span(&id).len, ID_BYTES);
    assert_span(id_community(&id), longest);
    assert_true(id_time(&id) == 0);
    assert_int_equal(id_parse(id_span(&id), &again), 0);

    id_make(&id, SPAN("a"), (INT64_C(1) << 48) - 1);
    assert_true(id_time(&id) == (INT64_C(1) << 48) - 1);
    assert_int_equal(id_ulid(&id).ptr[0], '7');
}

static void known_ulid(void **state)
{
    (void)state;
    /* The example of the ULID specification. */
    struct id id;
    assert_int_equal(id_parse(SPAN("bihu.01arz3ndektsv4rrffq69g5fav"), &id), 0);
    assert_string_equal(id.text, "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_true(id_time(&id) == INT64_C(1469922850259));
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct id *)a)->text, ((const struct id *)b)->text);
}

static void ids_are_unique(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct id *ids = calloc(MANY, sizeof *ids);
    assert_non_null(ids);
    unsigned varied[16] = {0}; /* bits that were seen set and unset in each random character */
    for (size_t i = 0; i < MANY; i++) {
        id_make(&ids[i], SPAN("c"), 1);
        for (size_t k = 0; k < 16; k++)
            varied[k] |= (unsigned char)id_ulid(&ids[i]).ptr[10 + k] ==
                                 (unsigned char)id_ulid(&ids[0]).ptr[10 + k]
                             ? 0u
                             : 1u;
    }
    for (size_t k = 0; k < 16; k++)
        assert_int_equal(varied[k], 1);
    qsort(ids, MANY, sizeof *ids, compare_ids);
    for (size_t i = 1; i < MANY; i++)
        assert_string_not_equal(ids[i - 1].text, ids[i].text);
    free(ids);
}

static void ids_sort_by_time(void **state)
{
    (void)state;
    struct id earlier, later;
    int64_t times[] = {0,
                       1,
                       31,
                       32,
                       1023,
                       1024,
                       INT64_C(1767225600000),
                       INT64_C(1767225600001),
                       (INT64_C(1) << 47),
                       (INT64_C(1) << 48) - 1};
    for (size_t i = 1; i < sizeof times / sizeof times[0]; i++) {
        id_make(&earlier, SPAN("c"), times[i - 1]);
        id_make(&later, SPAN("c"), times[i]);
        assert_true(strcmp(earlier.text, later.text) < 0);
        assert_true(id_time(&later) == times[i]);
    }
}

static void bad_ids_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "bihu",
        "bihu.",
        ".01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FA",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAVV",
        "bihu.81ARZ3NDEKTSV4RRFFQ69G5FAV", /* over 128 bits */
        "bihu.A1ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAI", /* letters that look like digits */
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAL",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5FA-",
        "bihu.01ARZ3NDEKTSV4RRFFQ69G5F}V",
        "Bihu.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bi hu.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bi.hu.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bi}u.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bihu 01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "碧湖.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "abcdefghijklmnopqrstuvwxyz0123456.01ARZ3NDEKTSV4RRFFQ69G5FAV", /* 33 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct id id = {"untouched"};
        if (id_parse(span_str(bad[i]), &id) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_string_equal(id.text, "untouched");
    }
    struct id id;
    const char with_nul[] = "bihu.01ARZ3NDEKTSV4RRFFQ69G5FA";
    assert_int_equal(id_parse(span_of(with_nul, sizeof with_nul), &id), -1);
}

static void names(void **state)
{
    (void)state;
    assert_true(id_name_valid(SPAN("a")));
    assert_true(id_name_valid(SPAN("w-bh_01")));
    assert_true(id_name_valid(SPAN("abcdefghijklmnopqrstuvwxyz012345")));
    assert_false(id_name_valid(SPAN("")));
    assert_false(id_name_valid((struct span){0}));
    assert_false(id_name_valid(SPAN("abcdefghijklmnopqrstuvwxyz0123456")));
    assert_false(id_name_valid(SPAN("A")));
    assert_false(id_name_valid(SPAN("a{b}")));
    assert_false(id_name_valid(SPAN("a:b")));
    assert_false(id_name_valid(SPAN("碧")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_ids_parse_back), cmocka_unit_test(known_ulid),
        cmocka_unit_test(ids_are_unique),      cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(bad_ids_are_refused), cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
