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
};

struct demo_check {
    struct demo_check_options options;
    struct ledger *ledger; /* a copy, with what the orders say */
    struct demo_sums sums;
    struct asked *asked;
    struct err err;
    bool all_found, asks_kpi, told;
};

static int ask(struct asked *asked);

static int64_t instant(struct json object, const char *name)
{
    int64_t ms = 0;
    return clock_parse(json_get_string(object, name), &ms) == 0 ? ms : 0;
}

static void forget(struct asked *asked)
{
    *asked->link = asked->next;
    if (asked->next != NULL)
        asked->next->link = asked->link;
    mem_free(asked);
}

static void tell(struct demo_check *check)
{
    if (check->told)
        return;
    check->told = true;
    const bool good = check->err.code == ERR_NONE;
    check->sums.ledger = ledger_count(check->ledger);
    check->options.on_done(check->options.ctx, good ? &check->sums : NULL,
                           good ? NULL : &check->err);
}

static void on_kpi(void *ctx, int status, struct span body)
{
    struct demo_check *check = ctx;
    if (status != 200)
        (void)err_set(&check->err, ERR_PROTOCOL, "the figures were answered with %d", status);
    else
        (void)demo_kpi_read(check->options.json, body, &check->sums.kpi, &check->err);
    tell(check);
}

/* When every order has been answered, the figures are asked for. */
static void go_on(struct demo_check *check)
{
    char path[DEMO_KPI_PATH_BYTES];
    if (!check->all_found || check->asked != NULL || check->asks_kpi)
        return;
    check->asks_kpi = true;
    demo_kpi_path(check->options.morning, check->options.until, path);
    if (check->err.code == ERR_NONE &&
        demo_steps_get(check->options.steps, path, on_kpi, check) < 0)
        (void)err_set(&check->err, ERR_NOMEM, "out of memory");
    if (check->err.code != ERR_NONE)
        tell(check);
}

/* ---- one entry of a history ---- */

static void read_warning(struct asked *asked, struct json note, int64_t at)
{
    struct json clocks;
    enum warning level;
    if (!json_get(note, "clocks", &clocks))
        return;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (warning_parse(json_get_string(clocks, sla_clock_name(c)), &level) < 0)
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
    asked->last_at = json_get_integer(entry, "at");
    if (order_step_parse(json_get_string(entry, "step"), &step) < 0)
        return 0; /* its creation */
    check->sums.steps[step]++;
    if (!span_eq(json_get_string(entry, "by"), SPAN("engine")) &&
        ledger_mark(check->ledger, span_str(asked->id), LEDGER_STEP) < 0)
        return err_set(&check->err, ERR_NOMEM, "out of memory");
    if (json_get(entry, "note", &note))
        read_warning(asked, note, asked->last_at);
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
    if (met_at == 0 && due <= until && asked->red_at[c] < due && asked->last_at < due)
        *forgotten = true;
}

static void add_order(struct asked *asked, struct json root)
{
    struct demo_sums *sums = &asked->check->sums;
    const struct span status = json_get_string(root, "status");
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
    sums->done += done;
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
    if (asked->seen < json_get_integer(root, "version") && asked->seen > before)
        return 1;
    if (asked->seen != json_get_integer(root, "version"))
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
    go_on(check);
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

static void on_order(void *ctx, struct span id)
{
    struct demo_check *check = ctx;
    struct asked *asked = mem_zalloc(1, sizeof *asked);
    if (asked == NULL || id.len >= ID_MOST || ledger_mark(check->ledger, id, LEDGER_ORDER) < 0) {
        mem_free(asked);
        (void)err_set(&check->err, ERR_NOMEM, "out of memory");
        return;
    }
    asked->check = check;
    memcpy(asked->id, id.ptr, id.len);
    asked->next = check->asked;
    asked->link = &check->asked;
    if (asked->next != NULL)
        asked->next->link = &asked->next;
    check->asked = asked;
    if (ask(asked) < 0)
        forget(asked);
}

static void on_all_found(void *ctx, const struct err *err)
{
    struct demo_check *check = ctx;
    if (err != NULL)
        check->err = *err;
    check->all_found = true;
    go_on(check);
}

struct demo_check *demo_check_start(const struct demo_check_options *options, struct err *err)
{
    struct demo_check *check = mem_zalloc(1, sizeof *check);
    if (check != NULL) {
        check->options = *options;
        check->ledger = ledger_copy(options->ledger);
    }
    if (check == NULL || check->ledger == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else if (demo_crew_count_orders(options->crew, on_order, on_all_found, check, err) == 0)
        return check;
    demo_check_free(&check);
    return NULL;
}

void demo_check_free(struct demo_check **checkp)
{
    struct demo_check *check = *checkp;
    *checkp = NULL;
    if (check == NULL)
        return;
    while (check->asked != NULL)
        forget(check->asked);
    ledger_free(&check->ledger);
    mem_free(check);
}
