/* Runs the cases of tests/http/cases/ (README.md there tells the format) against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/check.h"
#include "tests/http/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHECKS_MAX = 8, STATUSES_MAX = 8 };

struct http_case {
    char name[160];
    struct buf input;
    int statuses[STATUSES_MAX]; /* 100 stands for "?": a 100 Continue that may be left out */
    size_t status_count;
    bool closed;
    char checks[CHECKS_MAX][160]; /* "=..." or "~..." */
    size_t check_count;
};

static struct support_server server;
static int cases_run, cases_failed;

static void append_unescaped(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned value;
        if (*p != '\\') {
            buf_char(out, *p);
            continue;
        }
        p++;
        if (*p == 'x') {
            CHECK(sscanf(p + 1, "%2x", &value) == 1);
            buf_char(out, (char)value);
            p += 2;
        } else {
            const char *from = "rnt0\\", *at = strchr(from, *p);
            CHECK(at != NULL);
            buf_char(out, "\r\n\t\0\\"[at - from]);
        }
    }
}

static void read_input_line(struct http_case *c, const char *line)
{
    int count = 1, used = 0;
    if (line[0] == '*') {
        CHECK(sscanf(line, "* %d %n", &count, &used) == 1);
        for (; count > 0; count--) {
            append_unescaped(&c->input, line + used);
            buf_str(&c->input, "\r\n");
        }
    } else if (line[0] == 'x') {
        CHECK(sscanf(line, "x %d %n", &count, &used) == 1);
        for (; count > 0; count--)
            append_unescaped(&c->input, line + used);
    } else if (line[0] == '|') {
        append_unescaped(&c->input, line + 2);
    } else {
        append_unescaped(&c->input, line[0] == '\0' ? line : line + 1);
        buf_str(&c->input, "\r\n");
    }
}

static void read_expectation(struct http_case *c, char *line)
{
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        if (strcmp(word, "open") == 0 || strcmp(word, "closed") == 0) {
            c->closed = word[0] == 'c';
            continue;
        }
        CHECK(c->status_count < STATUSES_MAX);
        c->statuses[c->status_count++] = word[0] == '?' ? 100 : atoi(word);
    }
}

static const char *failure(const char *fmt, const char *what, int number)
{
    static char text[300];
    snprintf(text, sizeof(text), fmt, what, number);
    return text;
}

static const char *check_last(const struct http_case *c, const struct support_answer *answer)
{
    for (size_t i = 0; i < c->check_count; i++) {
        char wanted[200];
        const char *check = c->checks[i] + 2;
        snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", check);
        if (c->checks[i][0] == '=' && strstr(answer->head.data, wanted) == NULL)
            return failure("the header is missing: %s (status %d)", check, answer->status);
        if (c->checks[i][0] == '~' && strstr(answer->body.data, check) == NULL)
            return failure("the body lacks: %s (status %d)", check, answer->status);
    }
    return NULL;
}

/* NULL when the answers are as wanted. */
static const char *read_answers(const struct http_case *c, int fd, struct buf *left)
{
    for (size_t i = 0; i < c->status_count; i++) {
        struct support_answer answer;
        bool last = i + 1 == c->status_count;
        support_read(fd, left, false, &answer);
        if (c->statuses[i] == 100 && answer.status != 100)
            i++;
        last = i + 1 == c->status_count;
        const char *wrong = NULL;
        if (answer.status != c->statuses[i])
            wrong = failure(answer.reset ? "%s answer came as a reset or late: %d"
                                         : "%s answer has status %d",
                            "an", answer.status);
        else if (last)
            wrong = check_last(c, &answer);
        support_answer_free(&answer);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *run_case(const struct http_case *c, bool bytewise)
{
    static const char more[] = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
    struct buf left = {0};
    struct support_answer answer = {0};
    int fd = support_connect(&server);
    size_t step = bytewise ? 1 : c->input.len;
    /* Very long inputs are cut more coarsely, to save time. */
    if (bytewise && c->input.len > 1000)
        step = 997;
    for (size_t at = 0; at < c->input.len; at += step)
        support_send(fd, c->input.data + at, c->input.len - at < step ? c->input.len - at : step);
    support_send_str(fd, more);
    const char *wrong = read_answers(c, fd, &left);
    if (wrong == NULL && c->closed && !support_at_end(fd, &left)) {
        wrong = "there was more than the answers, or a reset";
    } else if (wrong == NULL && !c->closed) {
        support_read(fd, &left, false, &answer);
        if (answer.status != 200 || strcmp(answer.body.data, "hello") != 0)
            wrong = failure("%s connection is not usable: %d", "the", answer.status);
        support_answer_free(&answer);
    }
    buf_free(&left);
    close(fd);
    return wrong;
}

static void finish_case(struct http_case *c)
{
    if (c->name[0] == '\0')
        return;
    CHECK(buf_ok(&c->input) && c->status_count > 0);
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        const char *wrong = run_case(c, bytewise == 1);
        cases_run++;
        if (wrong != NULL) {
            cases_failed++;
            print_message("%s (%s): %s\n", c->name, bytewise == 1 ? "in pieces" : "whole", wrong);
        }
    }
    buf_free(&c->input);
    memset(c, 0, sizeof(*c));
}

static void run_file(const char *path)
{
    static struct http_case c;
    char line[512];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    cases_run = cases_failed = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '=' && line[1] == '=') {
            finish_case(&c);
            snprintf(c.name, sizeof(c.name), "%.150s", line + 3);
        } else if (line[0] == '>') {
            read_input_line(&c, line + 1);
        } else if (line[0] == '<') {
            read_expectation(&c, line + 1);
        } else if (line[0] == '=' || line[0] == '~') {
            CHECK(c.check_count < CHECKS_MAX);
            snprintf(c.checks[c.check_count++], sizeof(c.checks[0]), "%.150s", line);
        }
    }
    finish_case(&c);
    fclose(file);
    assert_true(cases_run > 0);
    assert_int_equal(cases_failed, 0);
}

static void test_good(void **state)
{
    (void)state;
    run_file("tests/http/cases/good.txt");
}

static void test_refused(void **state)
{
    (void)state;
    run_file("tests/http/cases/refused.txt");
}

static void test_ambiguous(void **state)
{
    (void)state;
    int before = atomic_load(&server.requests);
    run_file("tests/http/cases/ambiguous.txt");
    /* Only the one good request in that file (run twice) reached a handler. */
    assert_int_equal(atomic_load(&server.requests) - before, 2);
}

static int set_up(void **state)
{
    (void)state;
    support_start(&server, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ambiguous),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
