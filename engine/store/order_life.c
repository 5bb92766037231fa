#include "engine/store/order_life.h"

#include "engine/base/check.h"

#include <stdbool.h>

/* X(constant, name) */
#define FIELD_TABLE(X)                  \
    X(FIELD_STATE, "state")             \
    X(FIELD_VERSION, "version")         \
    X(FIELD_WORKER, "worker")           \
    X(FIELD_CREATED, "created_at")      \
    X(FIELD_LAST, "last_at")            \
    X(FIELD_QUEUED, "queued_at")        \
    X(FIELD_POSTS, "posts")             \
    X(FIELD_GRID, "grid")               \
    X(FIELD_CLASS, "class")             \
    X(FIELD_URGENCY, "urgency")         \
    X(FIELD_TRIAGE, "triage")           \
    X(FIELD_PROVISIONAL, "provisional") \
    X(FIELD_BOUNCES, "bounces")         \
    X(FIELD_REOPEN, "reopen_by")        \
    X(FIELD_STARS, "stars")             \
    X(FIELD_PARTIES, "parties")         \
    X(FIELD_LATE, "late")

enum field {
#define X(constant, name) constant,
    FIELD_TABLE(X)
#undef X
        FIELD_COUNT
};

/* Of each clock, in this order after those. */
enum clock_field { OF_DUE, OF_MET, OF_ASKED, OF_EXTENDED, OF_START, OF_WARNED, OF_COUNT };

static const char *const names[] = {
#define X(constant, name) (name),
    FIELD_TABLE(X)
#undef X
#define X(constant, key, by, met) \
    by, met, "asked:" key, "extended:" key, "start:" key, "warned:" key,
        CLOCK_TABLE(X)
#undef X
};

_Static_assert(sizeof(names) / sizeof(names[0]) == ORDER_LIFE_FIELDS, "every field has a name");
_Static_assert(ORDER_LIFE_FIELDS == (int)FIELD_COUNT + (int)OF_COUNT * (int)CLOCK_COUNT,
               "and a place");

struct span order_life_field(size_t i)
{
    CHECK(i < ORDER_LIFE_FIELDS);
    return span_str(names[i]);
}

static int64_t number(struct span value)
{
    uint64_t n = 0;
    return span_to_u64(value, INT64_MAX, &n) == 0 ? (int64_t)n : 0;
}

static void read_posts(struct span list, struct life *life)
{
    while (list.len > 0 && life->post_count < DIRECTORY_POSTS)
        life->posts[life->post_count++] = span_cut(&list, ' ');
}

/* "department number ..." as functions.lua keeps them. */
static void read_parties(struct span list, struct span late, struct life *life)
{
    while (list.len > 0 && life->party_count < LIMIT_ORDER_PARTIES) {
        const struct span name = span_cut(&list, ' '), word = span_cut(&list, ' ');
        const bool rated = span_starts(word, SPAN("-"));
        const int64_t n = number(span_sub(word, rated ? 1 : 0, word.len));
        life->parties[life->party_count++] =
            (struct life_party){.department = name,
                                .report_by = rated ? 0 : n,
                                .reported_at = rated || n == 0 ? life->last_at : 0,
                                .stars = rated ? n : 0,
                                .late = span_has_word(late, ' ', name)};
    }
}

static void read_clock(const struct span *of, enum sla_clock c, struct life *life)
{
    struct order_clock *clock = &life->clocks[c];
    *clock = (struct order_clock){.start = of[OF_START].len > 0 ? number(of[OF_START])
                                                                : life->created_at,
                                  .due = number(of[OF_DUE]),
                                  .met_at = number(of[OF_MET]),
                                  .asked = number(of[OF_ASKED]),
                                  .extended = of[OF_EXTENDED].len > 0};
    if ((1u << life->state & ORDER_OPEN) == 0 && order_clock_runs(clock))
        clock->stopped_at = life->last_at;
    (void)warning_parse(of[OF_WARNED], &life->warned[c]);
    if (life->warned[c] > life->warning)
        life->warning = life->warned[c];
}

int order_life_read(const struct id *id, const struct span values[ORDER_LIFE_FIELDS],
                    struct watch_order *order)
{
    struct life *life = &order->life;
    *order = (struct watch_order){.id = *id, .grid = values[FIELD_GRID]};
    if (order_state_parse(values[FIELD_STATE], &life->state) < 0)
        return -1;
    life->version = number(values[FIELD_VERSION]);
    life->created_at = number(values[FIELD_CREATED]);
    life->last_at = values[FIELD_LAST].len > 0 ? number(values[FIELD_LAST]) : life->created_at;
    life->queued_at = values[FIELD_QUEUED].len > 0 ? number(values[FIELD_QUEUED]) : life->last_at;
    life->holder = values[FIELD_WORKER];
    life->sla_class = values[FIELD_CLASS];
    life->red = span_eq(values[FIELD_URGENCY], span_str(urgency_name(URGENCY_RED)));
    life->triage = values[FIELD_TRIAGE].len > 0;
    life->provisional = values[FIELD_PROVISIONAL].len > 0;
    life->bounces = number(values[FIELD_BOUNCES]);
    life->reopen_by = number(values[FIELD_REOPEN]);
    life->stars = number(values[FIELD_STARS]);
    read_posts(values[FIELD_POSTS], life);
    read_parties(values[FIELD_PARTIES], values[FIELD_LATE], life);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        read_clock(&values[FIELD_COUNT + (size_t)c * OF_COUNT], c, life);
    return life->version > 0 && life->holder.len > 0 ? 0 : -1;
}
