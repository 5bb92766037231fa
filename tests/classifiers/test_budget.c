/* The time of regexes is bounded: catastrophic patterns over texts made for them, alone and many
 * together, and clocks that are told what to say. */
#include "classifiers/classify_private.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"
#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const catastrophic[] = {
#define CATASTROPHIC_PATTERN(pattern, judgement) pattern,
#include "tests/classifiers/catastrophic.def"
#undef CATASTROPHIC_PATTERN
};
enum { CATASTROPHIC = sizeof catastrophic / sizeof *catastrophic };

static uint64_t own_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* 8,000 times the same letter. */
static struct span long_text(char letter)
{
    static char text[LIMIT_TEXT_CHARS];
    memset(text, letter, sizeof text);
    return span_of(text, sizeof text);
}

/* The least processor time of some classifications: what others do on the machine is not in it. */
static uint64_t least_ns(struct fixture *f, struct span text, int times)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < times; i++) {
        uint64_t before = own_ns();
        assert_int_equal(classify(f->rules, f->scratch, SPAN(""), text, &f->verdict, NULL), 0);
        uint64_t spent = own_ns() - before;
        least = spent < least ? spent : least;
    }
    return least;
}

/* All regexes run on every text. */
static void remove_filters(struct rules *rules)
{
    for (size_t i = 0; i < rules->gate_count; i++) {
        rules->gates[i].sets = 0;
        rules->gates[i].at_end = false;
        rules->hints[i].count = 0;
    }
    rules->unfiltered_count = rules->regex_count;
}

static void put_regexes(struct fixture *f, size_t from, size_t to, int copies)
{
    static char text[1 << 20];
    int n = sprintf(text, "category: 城乡建设\nrules:\n");
    for (int c = 0; c < copies; c++) {
        n += sprintf(text + n, "  - path: p%d\n    regexes:\n      3:\n", c);
        for (size_t i = from; i < to; i++)
            n += sprintf(text + n, "        - '%s'\n", catastrophic[i]);
    }
    put(f, "categories/chengxiang.yaml", text);
    compile(f);
    remove_filters(f->rules);
}

/* The sanitizers take their part: that of threads the most, for what stands around the searches of
 * hundreds of regexes is instrumented, and they are not. */
#ifdef __SANITIZE_THREAD__
enum { MATCHING_NS = 5000000, SLACK = 8 };
#elif defined JIESU_SANITIZED
enum { MATCHING_NS = 5000000, SLACK = 2 };
#else
enum { MATCHING_NS = 5000000, SLACK = 1 };
#endif

static void one_bad_regex_costs_little(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < CATASTROPHIC; i++) {
        put_regexes(f, i, i + 1, 1);
        uint64_t spent = least_ns(f, long_text('a'), 3);
        if (spent > (uint64_t)MATCHING_NS * SLACK)
            fail_msg("%s: %llu ns", catastrophic[i], (unsigned long long)spent);
    }
}

static void many_bad_regexes_cost_little(void **state)
{
    struct fixture *f = *state;
    put_regexes(f, 0, CATASTROPHIC, 20);
    assert_int_equal(rules_count(f->rules).regexes, 20 * CATASTROPHIC);
    /* With the three below no more texts than stop a regex before it is switched off. */
    uint64_t spent = least_ns(f, long_text('a'), 5);
    assert_true(spent < (uint64_t)MATCHING_NS * SLACK);
    assert_true(f->verdict.review);
    spent = least_ns(f, long_text('z'), 3);
    assert_true(spent < (uint64_t)MATCHING_NS * SLACK);
}

/* --- told clocks --- */

struct told {
    uint64_t now, step; /* each look at a clock moves both on */
    uint64_t looks;
    bool waiting; /* the thread's own time stands still: it is not running */
};

static uint64_t tell_steady(void *ctx)
{
    struct told *told = ctx;
    told->looks++;
    return told->now += told->step;
}

static uint64_t tell_own(void *ctx)
{
    struct told *told = ctx;
    return told->waiting ? 0 : tell_steady(ctx);
}

static void tell(struct fixture *f, struct told *told)
{
    struct regex_clock clock = {tell_steady, tell_own, told};
    regex_scratch_set_clock(f->scratch->regex, &clock);
}

static void put_plain(struct fixture *f, int count)
{
    static char text[1 << 16];
    int n = sprintf(text, "category: 城乡建设\nrules:\n  - regexes:\n      1:\n");
    for (int i = 0; i < count; i++)
        n += sprintf(text + n, "        - 'a.{0,3}b%d'\n", i);
    put(f, "categories/chengxiang.yaml", text);
    compile(f);
    remove_filters(f->rules);
}

/* All searches in a text share its time; the next text has its own. */
static void a_text_has_its_time(void **state)
{
    struct fixture *f = *state;
    struct told told = {.step = 100000};
    char text[201] = "a1b0"; /* long enough for a look at the clock in each search */
    memset(text + 4, 'x', sizeof text - 5);
    put_plain(f, 100);
    tell(f, &told);
    for (int i = 0; i < 3; i++) {
        int64_t before = metric_get(METRIC_REGEX_SKIPPED);
        say(f, "", text);
        int64_t skipped = metric_get(METRIC_REGEX_SKIPPED) - before;
        /* A search looks once; behind half of the budget once more. */
        int64_t run = 100 - skipped;
        assert_in_range(run, LIMIT_REGEX_TEXT_US / 200 - 2, LIMIT_REGEX_TEXT_US / 100 + 2);
        assert_number(f->verdict.score, 1);
    }
    say(f, "", "xyz");
    assert_span(f->verdict.review_reason, "no_match");
}

/* Small searches are cheaper than a look at the clock: together they look now and then. */
static void small_searches_look_seldom(void **state)
{
    struct fixture *f = *state;
    struct told told = {.step = 1000};
    put_plain(f, 1000);
    tell(f, &told);
    assert_number(say(f, "", "a1b0")->score, 1);
    assert_in_range(told.looks, 10, 200);
    told.step = 3000000;
    int64_t skipped = metric_get(METRIC_REGEX_SKIPPED);
    say(f, "", "a1b0");
    assert_in_range(metric_get(METRIC_REGEX_SKIPPED) - skipped, 800, 1000);
}

/* A thread that waits for the processor loses nothing by it. */
static void waiting_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct told told = {.step = 1000000000, .waiting = true};
    put_plain(f, 100);
    tell(f, &told);
    int64_t skipped = metric_get(METRIC_REGEX_SKIPPED);
    assert_number(say(f, "", "a1b0，a2b99")->score, 1 + 2);
    assert_int_equal(metric_get(METRIC_REGEX_SKIPPED), skipped);
}

/* One search stops behind its time, at the next look. */
static void a_search_has_its_time(void **state)
{
    struct fixture *f = *state;
    struct told told = {.step = 100000};
    put(f, "categories/chengxiang.yaml", /* takes many calls */
        "category: 城乡建设\nrules:\n  - regexes: {1: ['.{0,20}.{0,20}[xy]']}\n");
    compile(f);
    remove_filters(f->rules);
    tell(f, &told);
    classify(f->rules, f->scratch, SPAN(""), long_text('a'), &f->verdict, NULL);
    assert_true(told.looks > 1);
    assert_true(told.looks <= 2 * LIMIT_REGEX_SEARCH_US / 100 + 2);
    assert_span(f->verdict.review_reason, "no_match");
}

/* --- switched off --- */

static void collect_off(void *ctx, const struct rules_rule *rule)
{
    size_t *off = ctx;
    if (rule->what == EVIDENCE_CATEGORY)
        *off += rule->regexes_off;
}

static void what_is_stopped_often_is_switched_off(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/jiesu-log-XXXXXX", line[1024] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    log_set_fd(fd);
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\nrules:\n  - path: 路\n    regexes:\n      5: ['(a+)+[bc]']\n"
        "    keywords: {1: [灯]}\n");
    compile(f);
    remove_filters(f->rules);
    int64_t limited = metric_get(METRIC_REGEX_LIMITED), off = metric_get(METRIC_REGEX_OFF);
    for (int i = 0; i < LIMIT_REGEX_STRIKES + 5; i++) {
        size_t count = 0;
        classify(f->rules, f->scratch, SPAN("灯灯灯"), long_text('a'), &f->verdict, NULL);
        rules_each_rule(f->rules, collect_off, &count);
        assert_int_equal(count, i + 1 >= LIMIT_REGEX_STRIKES);
    }
    assert_int_equal(metric_get(METRIC_REGEX_LIMITED), limited + LIMIT_REGEX_STRIKES);
    assert_int_equal(metric_get(METRIC_REGEX_OFF), off + 1);
    log_flush();
    log_set_fd(2);
    assert_true(pread(fd, line, sizeof line - 1, 0) > 0);
    assert_non_null(strstr(line, "\"warn\""));
    assert_non_null(strstr(line, "categories/chengxiang.yaml:5"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); /* one line */
    close(fd);
    unlink(path);
    assert_number(say(f, "", "aaab")->score, 0);
    compile(f); /* a new snapshot begins anew */
    assert_number(say(f, "", "aaab")->score, 5);
}

/* A red rule that is switched off is not the same as one that found nothing. */
static void what_is_switched_off_hides_no_emergency(void **state)
{
    struct fixture *f = *state;
    put(f, "urgency.yaml", "default: blue\nrules:\n  - level: red\n    regexes: ['(a+)+[bc]']\n");
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\nrules:\n  - path: 灯\n    keywords: {9: [路灯]}\n");
    compile(f);
    remove_filters(f->rules);
    for (int i = 0; i < LIMIT_REGEX_STRIKES + 5; i++) {
        classify(f->rules, f->scratch, SPAN("路灯"), long_text('a'), &f->verdict, NULL);
        assert_true(f->verdict.review);
        assert_span(f->verdict.review_reason, "regex_limited");
    }
}

/* Nor does a condition with one that is switched off in its `none` set a red rule aside. */
static void what_is_switched_off_sets_nothing_aside(void **state)
{
    struct fixture *f = *state;
    put(f, "conditions.yaml",
        "conditions:\n  - name: 演练\n    any: [演练]\n    none: [{regex: '(a+)+[bc]'}]\n");
    put(f, "urgency.yaml",
        "default: blue\nrules:\n  - level: red\n    keywords: [着火]\n"
        "    unless_conditions: [演练]\n");
    compile(f);
    remove_filters(f->rules);
    for (int i = 0; i < LIMIT_REGEX_STRIKES + 5; i++) {
        assert_int_equal(
            classify(f->rules, f->scratch, SPAN("演练着火"), long_text('a'), &f->verdict, NULL), 0);
        assert_int_equal(f->verdict.urgency, URGENCY_RED);
    }
}

/* --- counters --- */

struct counts {
    uint64_t hits[2], nanoseconds[2];
};

static void collect_counts(void *ctx, const struct rules_rule *rule)
{
    struct counts *counts = ctx;
    size_t i = span_eq(rule->name, SPAN("城乡建设/灯")) ? 0 : 1;
    if (rule->what != EVIDENCE_CATEGORY || span_eq(rule->name, SPAN("城乡建设")))
        return;
    counts->hits[i] = rule->hits;
    counts->nanoseconds[i] = rule->nanoseconds;
    assert_int_equal(rule->regexes_off, 0);
    assert_true(span_eq(rule->rule, i == 0 ? SPAN("categories/chengxiang.yaml:3")
                                           : SPAN("categories/chengxiang.yaml:5")));
}

static void rules_are_counted(void **state)
{
    struct fixture *f = *state;
    struct counts counts;
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\nrules:\n  - path: 灯\n    keywords: {1: [路灯, 灯]}\n"
        "  - path: 水\n    regexes: {1: ['漏.{0,3}水']}\n");
    compile(f);
    for (int i = 0; i < 100; i++)
        say(f, "路灯", i % 4 == 3 ? "漏了水" : "路灯");
    rules_each_rule(f->rules, collect_counts, &counts);
    assert_in_range(counts.hits[0], 100 - 40, 100);
    rules_scratch_flush(f->scratch, f->rules);
    rules_each_rule(f->rules, collect_counts, &counts);
    assert_int_equal(counts.hits[0], 100);
    assert_int_equal(counts.hits[1], 25);
    assert_int_equal(counts.nanoseconds[0], 0);
    assert_true(counts.nanoseconds[1] > 0);
    /* What was not handed over when another rule set came is forgotten. */
    say(f, "", "路灯");
    struct rules *old = rules_ref(f->rules);
    compile(f);
    say(f, "", "路灯");
    rules_scratch_flush(f->scratch, f->rules);
    rules_each_rule(f->rules, collect_counts, &counts);
    assert_int_equal(counts.hits[0], 1);
    rules_each_rule(old, collect_counts, &counts);
    assert_int_equal(counts.hits[0], 100);
    rules_unref(&old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_bad_regex_costs_little),
        TEST(many_bad_regexes_cost_little),
        TEST(a_text_has_its_time),
        TEST(waiting_costs_nothing),
        TEST(small_searches_look_seldom),
        TEST(a_search_has_its_time),
        TEST(what_is_stopped_often_is_switched_off),
        TEST(what_is_switched_off_hides_no_emergency),
        TEST(what_is_switched_off_sets_nothing_aside),
        TEST(rules_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
