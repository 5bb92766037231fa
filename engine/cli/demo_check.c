#include "engine/cli/demo_check.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ID_MOST = 64, PATH_MOST = 128, PAGE = 100 };

/* What one order's history says, read page by page. */
struct asked {
    struct demo_check *check;
    struct asked *next, **link;
    char id[ID_MOST];
    int64_t seen;                /* history entries */
    int64_t last_at;             /* of the last of them */
    int64_t red_at[CLOCK_COUNT]; /* the last red warning, or 0 */
    enum warning reached[CLOCK_COUNT];
    int stars;
};

struct demo_check {
    struct demo_check_options options;
    struct demo_sums sums;
    struct asked *asked;
    struct err err;
    bool finished, told;
};

static int ask(struct asked *asked);

static int64_t integer(struct json object, const char *name)
{
    struct json value;
    return json_get(object, name, &value) && json_type(value) == JSON_INTEGER ? json_integer(value)
                                                                              : 0;
}

static struct span string(struct json object, const char *name)
{
    struct json value;
    return json_get(object, name, &value) && json_type(value) == JSON_STRING ? json_string(value)
                                                                             : SPAN("");
}

static int64_t instant(struct json object, const char *name)
{
    int64_t ms = 0;
    return clock_parse(string(object, name), &ms) == 0 ? ms : 0;
}

static void forget(struct asked *asked)
{
    *asked->link = asked->next;
    if (asked->next != NULL)
        asked->next->link = asked->link;
    mem_free(asked);
}

static void tell_when_done(struct demo_check *check)
{
    if (!check->finished || check->asked != NULL || check->told)
        return;
    check->told = true;
    const bool good = check->err.code == ERR_NONE;
    check->options.on_done(check->options.ctx, good ? &check->sums : NULL,
                           good ? NULL : &check->err);
}

/* ---- one entry of a history ---- */

static void read_warning(struct asked *asked, struct json note, int64_t at)
{
    struct json clocks;
    enum warning level;
    if (!json_get(note, "clocks", &clocks))
        return;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (warning_parse(string(clocks, sla_clock_name(c)), &level) < 0)
            continue;
        if (level > asked->reached[c])
            asked->reached[c] = level;
        if (level == WARNING_RED)
            asked->red_at[c] = at;
    }
}

static int read_entry(struct asked *asked, struct json entry)
{
    struct demo_check *check = asked->check;
    struct json note;
    enum order_step step;
    asked->seen++;
    asked->last_at = integer(entry, "at");
    if (order_step_parse(string(entry, "step"), &step) < 0)
        return 0; /* its creation */
    check->sums.steps[step]++;
    if (!span_eq(string(entry, "by"), SPAN("engine")) &&
        ledger_mark(check->options.ledger, span_str(asked->id), LEDGER_STEP) < 0)
        return err_set(&check->err, ERR_NOMEM, "out of memory");
    if (json_get(entry, "note", &note)) {
        read_warning(asked, note, asked->last_at);
        if (step == STEP_RATE)
            asked->stars = (int)integer(note, "stars");
    }
    return 0;
}

/* ---- the whole order ---- */

static void add_clock(struct asked *asked, struct json clock, enum sla_clock c, bool *forgotten)
{
    struct demo_sums *sums = &asked->check->sums;
    const int64_t due = instant(clock, "due"), met_at = instant(clock, "met_at");
    const int64_t until = asked->check->options.until;
    for (enum warning w = WARNING_BLUE; w <= asked->reached[c]; w++)
        sums->warned[c][w]++;
    if (c == CLOCK_RESPOND && (met_at != 0 || due <= until)) {
        sums->response.all++;
        sums->response.good += met_at != 0 && met_at <= due;
    }
    if (met_at == 0 && due <= until && asked->red_at[c] < due && asked->last_at < due)
        *forgotten = true;
}

static void add_order(struct asked *asked, struct json root)
{
    struct demo_sums *sums = &asked->check->sums;
    const struct span status = string(root, "status");
    const bool done = span_eq(status, SPAN("resolved")) || span_eq(status, SPAN("closed"));
    const bool open = !done && !span_eq(status, SPAN("cancelled"));
    bool forgotten = false;
    struct json clocks, clock;
    if (json_get(root, "clocks", &clocks)) {
        for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
            if (json_get(clocks, sla_clock_name(c), &clock))
                add_clock(asked, clock, c, &forgotten);
        }
    }
    sums->orders++;
    sums->open += open;
    sums->forgotten += open && forgotten;
    sums->resolution.all++;
    sums->resolution.good += done;
    sums->satisfaction.all += asked->stars > 0;
    sums->satisfaction.good += asked->stars >= 4;
}

/* 1 when there is more to ask, 0 when the order was added, -1 and the error. */
static int read_order(struct asked *asked, struct span body)
{
    struct demo_check *check = asked->check;
    struct json root, history, entry;
    const int64_t before = asked->seen;
    if (json_parse(check->options.json, body, &root, NULL) < 0 ||
        !json_get(root, "history", &history) || json_type(history) != JSON_ARRAY)
        return err_set(&check->err, ERR_PROTOCOL, "an order of the engine has no history");
    struct json_iter it = json_iter(history);
    while (json_next(&it, NULL, &entry)) {
        if (read_entry(asked, entry) < 0)
            return -1;
    }
    if (asked->seen < integer(root, "version") && asked->seen > before)
        return 1;
    if (asked->seen != integer(root, "version"))
        return err_set(&check->err, ERR_PROTOCOL, "an order's history is not whole");
    add_order(asked, root);
    return 0;
}

static void on_answer(void *ctx, int status, struct span body)
{
    struct asked *asked = ctx;
    struct demo_check *check = asked->check;
    if (status != 200)
        (void)err_set(&check->err, ERR_PROTOCOL, "an order was answered with %d", status);
    else if (read_order(asked, body) == 1 && ask(asked) == 0)
        return;
    forget(asked);
    tell_when_done(check);
}

static int ask(struct asked *asked)
{
    char path[PATH_MOST];
    (void)snprintf(path, sizeof path, "/v1/orders/%s?history_from=%lld", asked->id,
                   (long long)asked->seen + 1);
    if (demo_steps_get(asked->check->options.steps, path, on_answer, asked) < 0)
        return err_set(&asked->check->err, ERR_NOMEM, "out of memory");
    return 0;
}

struct demo_check *demo_check_new(const struct demo_check_options *options, struct err *err)
{
    struct demo_check *check = mem_zalloc(1, sizeof *check);
    if (check == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else
        check->options = *options;
    return check;
}

int demo_check_order(struct demo_check *check, struct span id, struct err *err)
{
    struct asked *asked = mem_zalloc(1, sizeof *asked);
    if (asked == NULL || id.len >= ID_MOST) {
        mem_free(asked);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    asked->check = check;
    memcpy(asked->id, id.ptr, id.len);
    asked->next = check->asked;
    asked->link = &check->asked;
    if (asked->next != NULL)
        asked->next->link = &asked->next;
    check->asked = asked;
    if (ask(asked) == 0)
        return 0;
    *err = check->err;
    forget(asked);
    return -1;
}

void demo_check_finish(struct demo_check *check)
{
    check->finished = true;
    tell_when_done(check);
}

void demo_check_free(struct demo_check **checkp)
{
    struct demo_check *check = *checkp;
    *checkp = NULL;
    if (check == NULL)
        return;
    while (check->asked != NULL)
        forget(check->asked);
    mem_free(check);
}
