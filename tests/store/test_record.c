#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/store/support_engine.h"

#include <stdlib.h>
#include <string.h>

static void assert_same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->id.text, b->id.text);
    assert_int_equal(a->keyed, b->keyed);
    assert_memory_equal(&a->claim, &b->claim, sizeof(a->claim));
    assert_memory_equal(&a->body, &b->body, sizeof(a->body));
    assert_int_equal(a->argc, b->argc);
    for (size_t i = 0; i < a->argc; i++)
        assert_true(span_eq(a->argv[i], b->argv[i]));
}

static void fill_random(struct record *record, struct random *random, const char *noise)
{
    record->kind = random_below(random, 2) == 0 ? RECORD_CREATE : RECORD_STEP;
    record->id = example_id();
    record->keyed = random_below(random, 2) == 0;
    record->claim = (struct hash128){random_next(random), random_next(random)};
    record->body = (struct hash128){random_next(random), random_next(random)};
    record->argc = 4 + (size_t)random_below(random, RECORD_ARGS - 3);
    for (size_t i = 0; i < record->argc; i++)
        record->argv[i] =
            span_of(noise + random_below(random, 100), (size_t)random_below(random, 400));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random random = {.state = 1};
    char noise[500];
    random_bytes(noise, sizeof(noise));
    struct buf out = {0};
    for (int i = 0; i < 2000; i++) {
        struct record in, back;
        fill_random(&in, &random, noise);
        buf_clear(&out);
        assert_int_equal(record_encode(&in, &out), 0);
        assert_int_equal(out.len, record_size(&in));
        assert_int_equal(record_decode(buf_view(&out), &back, NULL), 0);
        assert_same(&in, &back);
        memset(&back, 0, sizeof(back));
        assert_int_equal(record_view(buf_view(&out), &back, NULL), 0);
        assert_same(&in, &back);
    }
    buf_free(&out);
}

/* Every truncation, every longer text and every flipped bit is refused. */
static void test_damage_is_refused(void **state)
{
    (void)state;
    struct buf scratch = {0}, out = {0};
    struct record record, back;
    struct err err;
    struct id id = example_id();
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    assert_int_equal(record_encode(&record, &out), 0);
    for (size_t len = 0; len < out.len; len++) {
        /* In memory of its own, so that reading past the end is seen. */
        char *copy = malloc(len + 1);
        memcpy(copy, out.data, len);
        assert_int_equal(record_decode(span_of(copy, len), &back, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        free(copy);
    }
    for (size_t bit = 0; bit < out.len * 8; bit++) {
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(record_decode(buf_view(&out), &back, NULL), -1);
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(record_decode(buf_view(&out), &back, NULL), 0);
    buf_char(&out, 'x');
    assert_int_equal(record_decode(buf_view(&out), &back, NULL), -1);
    buf_free(&scratch);
    buf_free(&out);
}

static bool has_arg(const struct record *record, const char *text)
{
    for (size_t i = 0; i < record->argc; i++) {
        if (span_eq(record->argv[i], span_str(text)))
            return true;
    }
    return false;
}

static void test_create(void **state)
{
    (void)state;
    struct buf scratch = {0};
    struct record record;
    struct id id = example_id();
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    assert_true(span_eq(record.argv[0], SPAN("FCALL")));
    assert_true(span_starts(record_key(&record), SPAN("jiesu:{c1}:order:")));
    assert_true(has_arg(&record, "jiesu:{c1}:q:w1"));
    assert_true(has_arg(&record, "jiesu:{c1}:wake:w1"));
    assert_true(has_arg(&record, "respond_by"));
    assert_true(has_arg(&record, "1700000900000"));
    assert_false(has_arg(&record, "arrive_by")); /* the class has no such clock */
    assert_true(span_find(record_answer(&record), id_span(&id)) >= 0);
    assert_false(record.keyed);
    buf_free(&scratch);
}

static void test_rename(void **state)
{
    (void)state;
    struct buf scratch = {0}, other_scratch = {0};
    struct record record, renamed, other;
    struct id id = example_id(), to = example_id();
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    assert_int_equal(record_rename(&record, &to, &renamed, &other_scratch), 0);
    assert_string_equal(renamed.id.text, to.text);
    for (size_t i = 0; i < renamed.argc; i++)
        assert_true(span_find(renamed.argv[i], id_ulid(&id)) < 0);
    /* It is what that order's own record would be. */
    struct buf third = {0};
    assert_int_equal(example_create(&other, &to, "w1", &third), 0);
    assert_same(&renamed, &other);
    buf_free(&scratch);
    buf_free(&other_scratch);
    buf_free(&third);
}

static void test_claim(void **state)
{
    (void)state;
    struct record record = {.claim = {1, 2}, .body = {3, 4}};
    const struct hash128 other = {3, 5};
    struct id id = example_id(), read;
    struct record_claim claim;
    bool same = false;
    record_claim(&record, &id, &claim);
    assert_true(span_eq(claim.argv[1], SPAN("jiesu:claim:00000000000000010000000000000002")));
    assert_int_equal(record_claim_read(claim.argv[2], &record.body, &read, &same), 0);
    assert_string_equal(read.text, id.text);
    assert_true(same);
    assert_int_equal(record_claim_read(claim.argv[2], &other, &read, &same), 0);
    assert_false(same);
    static const char *const none[] = {"", "/", "c1.A", "c1.A/00", "nonsense/0000"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(record_claim_read(span_str(none[i]), &other, &read, &same), -1);
}

/* The claim and the create in one call: the create's keys and arguments, and the claim's behind
 * each. */
static void test_claim_and_create(void **state)
{
    (void)state;
    struct buf scratch = {0};
    struct record record;
    struct record_claim claim;
    struct span argv[RECORD_CLAIM_CREATE_ARGS];
    struct id id = example_id();
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    record_claim(&record, &id, &claim);
    const size_t argc = record_claim_create(&record, &claim, argv);
    assert_int_equal(argc, record.argc + 3);
    assert_true(span_eq(argv[1], SPAN("jiesu_claim")));
    assert_true(span_eq(argv[2], SPAN("5")));
    for (size_t i = 3; i < 7; i++)
        assert_true(span_eq(argv[i], record.argv[i]));
    assert_true(span_eq(argv[7], key_span(&claim.key)));
    for (size_t i = 7; i < record.argc; i++)
        assert_true(span_eq(argv[i + 1], record.argv[i]));
    assert_true(span_eq(argv[argc - 2], claim.argv[2]));
    assert_true(span_eq(argv[argc - 1], claim.argv[6]));
    /* One with other keys is claimed by itself. */
    record.argv[2] = SPAN("3");
    assert_int_equal(record_claim_create(&record, &claim, argv), 0);
    buf_free(&scratch);
}

static void test_short_of_memory(void **state)
{
    (void)state;
    struct buf scratch = {0}, out = {0}, more = {0};
    struct record record, renamed;
    struct id id = example_id(), to = example_id();
    mem_fail_at(1);
    assert_int_equal(example_create(&record, &id, "w1", &scratch), -1);
    mem_fail_at(0);
    buf_clear(&scratch);
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    mem_fail_at(1);
    assert_int_equal(record_encode(&record, &out), -1);
    mem_fail_at(1);
    assert_int_equal(record_rename(&record, &to, &renamed, &more), -1);
    mem_fail_at(0);
    buf_free(&scratch);
    buf_free(&out);
    buf_free(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_create),          cmocka_unit_test(test_rename),
        cmocka_unit_test(test_claim),           cmocka_unit_test(test_claim_and_create),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
