#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/model/sla.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct folder folder;
static struct calendar *calendar;

static int group_setup(void **state)
{
    (void)state;
    struct err err;
    folder = folder_new();
    folder_write(&folder, "calendar.yaml", sample_calendar);
    calendar = calendar_load(folder_path(&folder, "calendar.yaml"), &err);
    return calendar == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    calendar_free(&calendar);
    folder_remove(&folder);
    return 0;
}

static struct sla *load(const char *text, struct err *err)
{
    folder_write(&folder, "sla.yaml", text);
    return sla_load(folder_path(&folder, "sla.yaml"), err);
}

static void members(void **state)
{
    (void)state;
    assert_string_equal(sla_clock_member(CLOCK_RESPOND), "respond_by");
    assert_string_equal(sla_clock_member(CLOCK_ARRIVE), "arrive_by");
    assert_string_equal(sla_clock_member(CLOCK_REPORT), "report_by");
    assert_string_equal(sla_clock_member(CLOCK_FEEDBACK), "feedback_by");
    assert_string_equal(sla_clock_member(CLOCK_RESOLVE), "resolve_by");
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        enum sla_clock parsed = CLOCK_COUNT;
        assert_int_equal(sla_clock_parse(span_str(sla_clock_name(c)), &parsed), 0);
        assert_int_equal(parsed, c);
        assert_non_null(strstr(sla_clock_met_member(c), "_at"));
    }
    enum sla_clock untouched = CLOCK_ARRIVE;
    assert_int_equal(sla_clock_parse(SPAN("respond_by"), &untouched), -1);
    assert_int_equal(untouched, CLOCK_ARRIVE);
}

static void deadlines_by_class(void **state)
{
    (void)state;
    static const struct {
        const char *class, *from;
        const char *by[CLOCK_COUNT]; /* respond, arrive, report, feedback, resolve */
        const char *next;
        bool provisional;
    } rows[] = {
        {"ordinary",
         "2025-03-03 10:00",
         {"2025-03-03 10:15", NULL, NULL, NULL, "2025-03-04 10:00"},
         "2025-03-03 10:15",
         false},
        {"emergency",
         "2025-03-03 23:50",
         {"2025-03-04 00:05", "2025-03-04 00:20", NULL, NULL, "2025-03-04 23:50"},
         "2025-03-04 00:05",
         false},
        {"disaster",
         "2025-03-03 10:00",
         {NULL, "2025-03-03 10:05", "2025-03-03 10:15", NULL, "2025-03-05 10:00"},
         "2025-03-03 10:05",
         false},
        {"service",
         "2025-01-26 10:00", /* 27 January, then 5, 6, 7 and the make-up 8 February */
         {"2025-01-26 10:15", NULL, NULL, NULL, "2025-02-09 00:00"},
         "2025-01-26 10:15",
         false},
        {"service",
         "2025-12-29 10:00", /* 30, 31, then 1, 2 and 5 January by weekends alone */
         {"2025-12-29 10:15", NULL, NULL, NULL, "2026-01-06 00:00"},
         "2025-12-29 10:15",
         true},
        {"unheard of",
         "2025-12-31 23:00", /* the default; it counts no working days */
         {"2025-12-31 23:15", NULL, NULL, NULL, "2026-01-01 23:00"},
         "2025-12-31 23:15",
         false},
    };
    struct err err;
    struct sla *sla = load(sample_sla, &err);
    assert_non_null(sla);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sla_deadlines got =
            sla_deadlines(sla, calendar, span_str(rows[i].class), at(rows[i].from));
        for (size_t c = 0; c < CLOCK_COUNT; c++) {
            int64_t want = rows[i].by[c] == NULL ? 0 : at(rows[i].by[c]);
            if (got.by[c] != want)
                fail_msg("row %zu: %s is %lld, not %lld", i, sla_clock_member((enum sla_clock)c),
                         (long long)got.by[c], (long long)want);
        }
        assert_int_equal(got.provisional, rows[i].provisional);
        assert_true(sla_next_due(&got) == at(rows[i].next));
    }
    assert_true(sla_has_class(sla, SPAN("service")));
    assert_false(sla_has_class(sla, SPAN("servic")));
    assert_false(sla_has_class(sla, SPAN("")));
    sla_free(&sla);
    assert_null(sla);
    sla_free(&sla);
}

static void next_due(void **state)
{
    (void)state;
    struct sla_deadlines none = {.provisional = false};
    assert_true(sla_next_due(&none) == 0);
    struct sla_deadlines some = {.by = {0, 50, 40, 60}};
    assert_true(sla_next_due(&some) == 40);
}

#define ONE(clocks) "default: a\nclasses:\n  - {name: a" clocks "}\n"

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {ONE(", resolve: 1min"), CLOCK_MINUTE_MS},
        {ONE(", resolve: 527040min"), 366 * CLOCK_DAY_MS},
        {ONE(", resolve: 36h"), 36 * CLOCK_HOUR_MS},
        {ONE(", resolve: 366d"), 366 * CLOCK_DAY_MS},
        {ONE(", resolve: 1wd"), 2 * CLOCK_DAY_MS}, /* from a Monday's 00:00 */
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct err err;
        struct sla *sla = load(good[i].text, &err);
        if (sla == NULL)
            fail_msg("%s", err.text);
        int64_t from = at("2025-03-03 00:00");
        struct sla_deadlines got = sla_deadlines(sla, calendar, SPAN("a"), from);
        assert_true(got.by[CLOCK_RESOLVE] - from == good[i].ms);
        sla_free(&sla);
    }
    static const char *const bad[] = {"0min",
                                      "527041min",
                                      "8785h",
                                      "367d",
                                      "251wd",
                                      "15",
                                      "min",
                                      "15 min",
                                      "-1h",
                                      "1.5h",
                                      "1m",
                                      "1H",
                                      "wd",
                                      "1dd",
                                      "1mind",
                                      "１min",
                                      "99999999999999999999h"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[128];
        snprintf(text, sizeof text, ONE(", resolve: %s"), bad[i]);
        struct err err = {0};
        if (load(text, &err) != NULL)
            fail_msg("'%s' was taken", bad[i]);
        assert_contains(err.text, "sla.yaml:3:");
        assert_contains(err.text, "is no duration");
    }
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[]\n", ":1:1: "},
        {"default: a\n", "'classes'"},
        {"default: a\nclasses: {}\n", ":2:10: "},
        {"default: a\nclasses: []\n", "at least one class"},
        {"classes: [{name: a, respond: 1h}]\n", "default"},
        {"default: b\nclasses: [{name: a, resolve: 1h}]\n", ":1:10: the default class 'b'"},
        {"default: a\nclass: []\n", "class"},
        {"default: a\nclasses: [a]\n", ":2:11: "},
        {"default: a\nclasses: [{respond: 1h}]\n", "name"},
        {"default: a\nclasses: [{name: A, respond: 1h}]\n", "'A' is no class name"},
        {"default: a\nclasses: [{name: a}]\n", "class 'a' has no resolve"},
        {"default: a\nclasses: [{name: a, respond: 1h}]\n", "class 'a' has no resolve"},
        {"default: a\nclasses: [{name: a, title: ''}]\n", "title"},
        {"default: a\nclasses: [{name: a, respond: [1h]}]\n", "respond"},
        {"default: a\nclasses: [{name: a, answer: 1h}]\n", "answer"},
        {"default: a\nclasses:\n  - {name: a, resolve: 1h, overdue_reason: perhaps}\n", ":3:44: "},
        {"default: a\nclasses:\n  - {name: a, resolve: 1h}\n  - {name: a, resolve: 1h}\n",
         ":4:12: class 'a' is defined twice"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {0};
        struct sla *sla = load(rows[i].text, &err);
        if (sla != NULL)
            fail_msg("was taken: %s", rows[i].text);
        assert_contains(err.text, "sla.yaml:");
        assert_contains(err.text, rows[i].message);
    }
    struct err err = {0};
    assert_null(sla_load(folder_path(&folder, "absent.yaml"), &err));
    assert_int_equal(err.code, ERR_IO);
}

static void explained_classes(void **state)
{
    (void)state;
    struct err err;
    struct sla *sla = load("default: a\n"
                           "classes:\n"
                           "  - {name: a, resolve: 1h}\n"
                           "  - {name: b, resolve: 1h, overdue_reason: true}\n"
                           "  - {name: c, resolve: 1h, overdue_reason: false}\n"
                           "  - {name: d, resolve: 1h, overdue_reason: yes}\n",
                           &err);
    if (sla == NULL)
        fail_msg("%s", err.text);
    assert_span(sla_explained(sla), "b,d");
    sla_free(&sla);
    sla = load(sample_sla, &err);
    assert_span(sla_explained(sla), "");
    sla_free(&sla);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    folder_write(&folder, "sla.yaml",
                 "default: a\nclasses: [{name: a, resolve: 1h, overdue_reason: true}]\n");
    for (uint64_t n = 1;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct sla *sla = sla_load(folder_path(&folder, "sla.yaml"), &err);
        uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (sla == NULL) {
            assert_int_equal(err.code, ERR_NOMEM);
            continue;
        }
        sla_free(&sla);
        assert_true(asked < n);
        assert_true(n > 2);
        return;
    }
}

/* The charter's numbers, as rules/sla.yaml must hold them. */
static void the_charters_numbers(void **state)
{
    (void)state;
    enum { MIN = 60000, HOUR = 60 * MIN };
    struct err err;
    struct sla *sla = sla_load("rules/sla.yaml", &err);
    if (sla == NULL)
        fail_msg("%s", err.text);
    int64_t from = at("2025-03-03 10:00"); /* a Monday without a holiday near */
    struct sla_deadlines got = sla_deadlines(sla, calendar, SPAN("ordinary"), from);
    assert_true(got.by[CLOCK_RESPOND] == from + 15 * MIN);
    assert_true(got.by[CLOCK_FEEDBACK] == from + 24 * HOUR);
    assert_true(got.by[CLOCK_RESOLVE] == from + 24 * HOUR);
    got = sla_deadlines(sla, calendar, SPAN("emergency"), from);
    assert_true(got.by[CLOCK_ARRIVE] == from + 30 * MIN);
    got = sla_deadlines(sla, calendar, SPAN("disaster"), from);
    assert_true(got.by[CLOCK_ARRIVE] == from + 5 * MIN);
    assert_true(got.by[CLOCK_REPORT] == from + 15 * MIN);
    got = sla_deadlines(sla, calendar, SPAN("service"), from);
    assert_true(got.by[CLOCK_RESOLVE] == at("2025-03-11 00:00"));
    got = sla_deadlines(sla, calendar, SPAN("dispute"), from);
    assert_true(got.by[CLOCK_RESOLVE] == from + 24 * HOUR);
    got = sla_deadlines(sla, calendar, SPAN("council"), from);
    assert_true(got.by[CLOCK_RESOLVE] == at("2025-03-07 00:00"));
    got = sla_deadlines(sla, calendar, SPAN("complex_dispute"), from);
    assert_true(got.by[CLOCK_RESOLVE] == at("2025-03-11 00:00"));
    got = sla_deadlines(sla, calendar, SPAN("supervision"), from);
    assert_span(sla_explained(sla), "supervision");
    assert_true(got.by[CLOCK_RESPOND] == from + HOUR);
    assert_true(got.by[CLOCK_RESOLVE] == at("2025-03-07 00:00"));
    sla_free(&sla);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(deadlines_by_class),
        cmocka_unit_test(next_due),
        cmocka_unit_test(durations),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(explained_classes),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_charters_numbers),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
