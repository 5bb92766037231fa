#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each test uses events of its own, because the rate limit lives as long as the process. */

static int ends[2];
static char text[1 << 18];

static int open_pipe(void **state)
{
    (void)state;
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 18) < 0)
        return -1;
    log_set_fd(ends[1]);
    log_set_level(LOG_INFO);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    log_flush();
    log_set_fd(STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* What was logged since the last call. */
static struct span captured(void)
{
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) && (n = read(ends[0], text + len, sizeof(text) - len)) > 0)
        len += (size_t)n;
    return span_of(text, len);
}

static struct span next_line(struct span *rest)
{
    assert_true(rest->len > 0);
    assert_int_equal(rest->ptr[rest->len - 1], '\n');
    return span_cut(rest, '\n');
}

static bool take(struct span *s, struct span head)
{
    if (!span_starts(*s, head))
        return false;
    *s = span_sub(*s, head.len, s->len);
    return true;
}

/* A JSON string, checked against RFC 8259. */
static bool take_string(struct span *s)
{
    if (!take(s, SPAN("\"")))
        return false;
    while (s->len > 0 && s->ptr[0] != '"') {
        if ((unsigned char)s->ptr[0] < 0x20)
            return false;
        size_t step = 1;
        if (s->ptr[0] == '\\') {
            if (s->len < 2 || strchr("\"\\/bfnrtu", s->ptr[1]) == NULL)
                return false;
            step = s->ptr[1] == 'u' ? 6 : 2;
        }
        if (s->len < step)
            return false;
        *s = span_sub(*s, step, s->len);
    }
    return take(s, SPAN("\""));
}

/* An object of strings, whole numbers and true, as every line is. */
static bool is_line(struct span s)
{
    if (s.len >= LIMIT_LOG_LINE_BYTES || !utf8_valid(s) || !take(&s, SPAN("{")))
        return false;
    do {
        if (!take_string(&s) || !take(&s, SPAN(":")))
            return false;
        if (take(&s, SPAN("true")))
            continue;
        if (s.len > 0 && s.ptr[0] == '"') {
            if (!take_string(&s))
                return false;
            continue;
        }
        take(&s, SPAN("-"));
        size_t digits = 0;
        while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
            digits++;
        if (digits == 0)
            return false;
        s = span_sub(s, digits, s.len);
    } while (take(&s, SPAN(",")));
    return take(&s, SPAN("}")) && s.len == 0;
}

/* The line behind its timestamp, which must be now. */
static struct span behind_ts(struct span line)
{
    assert_true(is_line(line));
    assert_true(take(&line, SPAN("{\"ts\":\"")));
    int64_t ms = 0;
    assert_int_equal(clock_parse(span_cut(&line, '"'), &ms), 0);
    assert_true(ms <= clock_now_ms() && ms > clock_now_ms() - 60000);
    return line;
}

static void assert_line(struct span *rest, const char *want)
{
    struct span got = behind_ts(next_line(rest));
    if (!span_eq(got, span_str(want)))
        fail_msg("%.*s", SPAN_ARG(got));
}

static void test_fields_and_escapes(void **state)
{
    (void)state;
    log_write(LOG_INFO, "app", "plain");
    log_write(LOG_WARN, "redis", "connect_failed", LOG_STR("place", "unix:/tmp/\"r\"\\s"),
              LOG_INT("tries", INT64_MIN), LOG_SPAN("error", SPAN("a\nb\tc\x01网\x7f")));
    log_write(LOG_ERROR, "app", "null", LOG_STR("s", NULL), LOG_INT("n", 0));
    struct span rest = captured();
    assert_line(&rest, ",\"level\":\"info\",\"module\":\"app\",\"event\":\"plain\"}");
    assert_line(&rest, ",\"level\":\"warn\",\"module\":\"redis\",\"event\":\"connect_failed\","
                       "\"place\":\"unix:/tmp/\\\"r\\\"\\\\s\",\"tries\":-9223372036854775808,"
                       "\"error\":\"a\\nb\\u0009c\\u0001网\x7f\"}");
    assert_line(&rest, ",\"level\":\"error\",\"module\":\"app\",\"event\":\"null\",\"s\":\"\","
                       "\"n\":0}");
    assert_int_equal(rest.len, 0);
}

static void test_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    log_write(LOG_INFO, "app", "invalid", LOG_SPAN("s", SPAN("a\xFF网\xED\xA0\x80z\xE7\xBD")));
    struct span rest = captured();
    assert_line(&rest,
                ",\"level\":\"info\",\"module\":\"app\",\"event\":\"invalid\",\"s\":\"a\uFFFD"
                "网\uFFFD\uFFFD\uFFFDz\uFFFD\uFFFD\"}");
}

static void test_any_bytes_make_a_line(void **state)
{
    (void)state;
    struct random r = {.state = 17};
    for (int i = 0; i < 60; i++) {
        char event[16], noise[6000];
        snprintf(event, sizeof(event), "noise%d", i / LIMIT_LOG_BURST);
        size_t len = (size_t)random_below(&r, i % 2 == 0 ? 100 : sizeof(noise));
        for (size_t k = 0; k < len; k++)
            noise[k] = (char)random_next(&r);
        log_write(LOG_INFO, "app", event, LOG_SPAN("a", span_of(noise, len)), LOG_INT("i", i),
                  LOG_SPAN("b", span_of(noise + len / 2, len / 2)), LOG_INT("j", i));
        struct span rest = captured();
        behind_ts(next_line(&rest));
        assert_int_equal(rest.len, 0);
    }
}

static void test_long_fields_are_cut_and_later_ones_stay(void **state)
{
    (void)state;
    static char han[9001];
    for (size_t i = 0; i < 3000; i++)
        memcpy(han + 3 * i, "网", 3);
    for (size_t shift = 0; shift < 3; shift++) {
        log_write(LOG_INFO, "app", "long", LOG_STR("text", han + 3 * shift), LOG_INT("id", 7));
        struct span rest = captured();
        struct span line = behind_ts(next_line(&rest));
        assert_true(span_ends(line, SPAN("网\",\"id\":7,\"cut\":true}")));
        assert_in_range(line.len, LIMIT_LOG_LINE_BYTES / 4, LIMIT_LOG_LINE_BYTES / 2);
    }
    log_write(LOG_INFO, "app", "many", LOG_STR("a", han), LOG_STR("b", han), LOG_STR("c", han),
              LOG_STR("d", han), LOG_STR("e", han), LOG_STR("f", han), LOG_INT("g", 1));
    struct span rest = captured();
    assert_in_range(rest.len, LIMIT_LOG_LINE_BYTES - 100, LIMIT_LOG_LINE_BYTES);
    assert_true(span_ends(behind_ts(next_line(&rest)), SPAN("\"cut\":true}")));
}

static void test_levels(void **state)
{
    (void)state;
    log_write(LOG_DEBUG, "app", "hidden");
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_write(LOG_DEBUG, "app", "shown");
    log_set_level(LOG_OFF);
    log_write(LOG_ERROR, "app", "hidden");
    log_write(LOG_OFF, "app", "hidden");
    struct span rest = captured();
    assert_line(&rest, ",\"level\":\"debug\",\"module\":\"app\",\"event\":\"shown\"}");
    assert_int_equal(rest.len, 0);

    static const char *const names[] = {"debug", "info", "warn", "error", "off"};
    enum log_level level;
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
        assert_int_equal(log_parse_level(span_str(names[i]), &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_parse_level(SPAN("INFO"), &level), -1);
    assert_int_equal(log_parse_level(SPAN(""), &level), -1);
}

static void test_what_the_rate_limit_drops_is_counted_and_told(void **state)
{
    (void)state;
    int64_t before = metric_get(METRIC_LOG_SUPPRESSED);
    int64_t start = clock_steady_ms();
    for (int i = 0; i < 100; i++)
        log_write(LOG_INFO, "app", "loud", LOG_INT("i", i));
    log_flush();
    bool one_second = clock_steady_ms() - start < 1000;
    struct span rest = captured();
    int64_t written = 0, told = 0;
    while (rest.len > 0) {
        struct span line = behind_ts(next_line(&rest));
        uint64_t lines;
        if (take(&line, SPAN(",\"level\":\"warn\",\"module\":\"app\",\"event\":\"suppressed\","
                             "\"suppressed_event\":\"loud\",\"lines\":"))) {
            assert_int_equal(span_to_u64(span_cut(&line, '}'), 100, &lines), 0);
            told += (int64_t)lines;
        } else {
            written++;
        }
    }
    assert_int_equal(written + told, 100);
    assert_int_equal(metric_get(METRIC_LOG_SUPPRESSED) - before, told);
    assert_true(told > 0);
    if (one_second)
        assert_int_equal(written, LIMIT_LOG_BURST);
    log_flush();
    assert_int_equal(captured().len, 0);
}

static void *log_many(void *arg)
{
    int id = *(int *)arg;
    char event[16], fill[300];
    memset(fill, 'a' + id, sizeof(fill));
    for (int i = 0; i < 20; i++) {
        snprintf(event, sizeof(event), "t%d_%d", id, i / LIMIT_LOG_BURST);
        log_write(LOG_INFO, "thread", event, LOG_INT("i", i),
                  LOG_SPAN("fill", span_of(fill, sizeof(fill))));
    }
    return NULL;
}

static void test_lines_of_threads_never_mix(void **state)
{
    (void)state;
    pthread_t threads[8];
    int ids[8];
    for (int i = 0; i < 8; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &ids[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    struct span rest = captured();
    int lines = 0;
    while (rest.len > 0) {
        behind_ts(next_line(&rest));
        lines++;
    }
    assert_int_equal(lines, 160);
}

int main(void)
{
#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_fields_and_escapes),
        LOG_TEST(test_invalid_utf8_is_replaced),
        LOG_TEST(test_any_bytes_make_a_line),
        LOG_TEST(test_long_fields_are_cut_and_later_ones_stay),
        LOG_TEST(test_levels),
        LOG_TEST(test_what_the_rate_limit_drops_is_counted_and_told),
        LOG_TEST(test_lines_of_threads_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
