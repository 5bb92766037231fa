/*
 * The window is short (LIMIT_HOOK_WINDOW), so lanes are a plain list that is searched from its beginning. An
 * item's memory holds its texts. A settled item stays in the window until all before it are settled.
 */
#include "engine/model/hook_lanes.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/model/hook_gate.h"

enum { CURSOR_BYTES = 64 };

struct hook_lane {
    struct hook_lane *next;
    struct hook_item *first, *last; /* never empty */
    bool busy;                      /* the first one is under way */
    int64_t due;                    /* for the first one */
};

struct hook_lanes {
    struct random random;
    struct hook_lane *lanes;
    struct hook_item *oldest, *newest; /* the window */
    size_t count, waiting;
    char cursor[CURSOR_BYTES];
    size_t cursor_len;
    bool moved;
};

struct hook_lanes *hook_lanes_new(uint64_t seed)
{
    struct hook_lanes *l = mem_zalloc(1, sizeof *l);
    if (l != NULL)
        l->random.state = seed;
    return l;
}

void hook_lanes_free(struct hook_lanes **lanesp)
{
    struct hook_lanes *l = *lanesp;
    *lanesp = NULL;
    if (l == NULL)
        return;
    while (l->oldest != NULL) {
        struct hook_item *item = l->oldest;
        l->oldest = item->later;
        mem_free(item);
    }
    while (l->lanes != NULL) {
        struct hook_lane *lane = l->lanes;
        l->lanes = lane->next;
        mem_free(lane);
    }
    mem_free(l);
}

size_t hook_lanes_room(const struct hook_lanes *l)
{
    return LIMIT_HOOK_WINDOW - l->count;
}

size_t hook_lanes_waiting(const struct hook_lanes *l)
{
    return l->waiting;
}

int64_t hook_lanes_oldest(const struct hook_lanes *l)
{
    /* What is settled at the window's beginning has left it. */
    return l->oldest == NULL ? 0 : l->oldest->at;
}

/* ---- adding ---- */

static struct span put(char **at, struct span text)
{
    char *begin = *at;
    if (text.len > 0)
        memcpy(begin, text.ptr, text.len);
    begin[text.len] = '\0';
    *at += text.len + 1;
    return span_of(begin, text.len);
}

static struct hook_item *new_item(const struct hook_added *added)
{
    const size_t texts = added->id.len + added->order.len + added->data.len + 3;
    struct hook_item *item = mem_alloc(sizeof *item + texts);
    if (item == NULL)
        return NULL;
    char *at = (char *)(item + 1);
    *item = (struct hook_item){.version = added->version, .at = added->at, .follow = added->dead};
    item->id = put(&at, added->id);
    item->order = put(&at, added->order);
    item->data = put(&at, added->data);
    return item;
}

/* The lane of a complaint, made when there is none. */
static struct hook_lane *lane_of(struct hook_lanes *l, struct span order)
{
    struct hook_lane **at = &l->lanes;
    for (; *at != NULL; at = &(*at)->next) {
        if (span_eq((*at)->first->order, order))
            return *at;
    }
    struct hook_lane *lane = mem_zalloc(1, sizeof *lane);
    if (lane != NULL) {
        lane->due = INT64_MIN;
        *at = lane;
    }
    return lane;
}

/* Removes from the window what is settled at its beginning. */
static void move_cursor(struct hook_lanes *l)
{
    while (l->oldest != NULL && l->oldest->lane == NULL) {
        struct hook_item *item = l->oldest;
        memcpy(l->cursor, item->id.ptr, item->id.len);
        l->cursor_len = item->id.len;
        l->moved = true;
        l->oldest = item->later;
        if (l->oldest == NULL)
            l->newest = NULL;
        l->count--;
        mem_free(item);
    }
}

int hook_lanes_add(struct hook_lanes *l, const struct hook_added *added)
{
    CHECK(l->count < LIMIT_HOOK_WINDOW && added->id.len < CURSOR_BYTES);
    struct hook_item *item = new_item(added);
    if (item == NULL)
        return -1;
    if (added->wanted) {
        struct hook_lane *lane = lane_of(l, item->order);
        if (lane == NULL) {
            mem_free(item);
            return -1;
        }
        if (lane->first == NULL)
            lane->first = item;
        else
            lane->last->next = item;
        lane->last = item;
        item->lane = lane;
        l->waiting++;
    }
    if (l->newest == NULL)
        l->oldest = item;
    else
        l->newest->later = item;
    l->newest = item;
    l->count++;
    move_cursor(l);
    return 0;
}

/* ---- what to do ---- */

static bool is_full(const struct hook_lanes *l)
{
    return l->count == LIMIT_HOOK_WINDOW;
}

/* The whole window waits for its oldest event, and that one was tried often enough. */
static bool is_blocking(const struct hook_lanes *l, const struct hook_item *item)
{
    return is_full(l) && item == l->oldest && item->attempts >= LIMIT_HOOK_BLOCKING_ATTEMPTS;
}

enum hook_do hook_lanes_next(struct hook_lanes *l, bool may_send, bool probe, int64_t now,
                             struct hook_item **item)
{
    struct hook_lane *best = NULL;
    for (struct hook_lane *lane = l->lanes; lane != NULL; lane = lane->next) {
        struct hook_item *first = lane->first;
        if (lane->busy)
            continue;
        if (!first->bury && is_blocking(l, first)) {
            first->bury = true;
            lane->due = INT64_MIN;
        }
        if (first->bury || first->follow) {
            if (lane->due > now)
                continue;
            lane->busy = true;
            *item = first;
            return HOOK_DO_BURY;
        }
        if ((probe || lane->due <= now) && (best == NULL || lane->due < best->due))
            best = lane;
    }
    if (best == NULL || !may_send)
        return HOOK_DO_NOTHING;
    best->busy = true;
    *item = best->first;
    return HOOK_DO_SEND;
}

/* ---- how it ended ---- */

static struct hook_lane *end_turn(struct hook_item *item)
{
    struct hook_lane *lane = item->lane;
    CHECK(lane != NULL && lane->busy && lane->first == item);
    lane->busy = false;
    return lane;
}

static void remove_lane(struct hook_lanes *l, struct hook_lane *lane)
{
    struct hook_lane **at = &l->lanes;
    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    mem_free(lane);
}

static void settle(struct hook_lanes *l, struct hook_item *item)
{
    struct hook_lane *lane = end_turn(item);
    lane->first = item->next;
    lane->due = INT64_MIN;
    item->lane = NULL;
    l->waiting--;
    if (lane->first == NULL)
        remove_lane(l, lane);
    move_cursor(l);
}

void hook_lanes_delivered(struct hook_lanes *l, struct hook_item *item)
{
    settle(l, item);
}

void hook_lanes_buried(struct hook_lanes *l, struct hook_item *item)
{
    for (struct hook_item *i = item->next; i != NULL; i = i->next)
        i->follow = true;
    settle(l, item);
}

void hook_lanes_revived(struct hook_lanes *l, struct hook_item *item)
{
    struct hook_lane *lane = end_turn(item);
    (void)l;
    lane->due = INT64_MIN;
    for (struct hook_item *i = item; i != NULL; i = i->next)
        i->follow = false;
}

void hook_lanes_failed(struct hook_lanes *l, struct hook_item *item,
                       const struct hook_failure *failure)
{
    struct hook_lane *lane = end_turn(item);
    item->attempts += failure->counts ? 1 : 0;
    item->bury = failure->final || item->attempts >= LIMIT_HOOK_ATTEMPTS ||
                 failure->today - item->at >= LIMIT_HOOK_AGE_S * INT64_C(1000);
    int64_t wait = hook_backoff(&l->random, item->attempts + 1, LIMIT_HOOK_BACKOFF_MIN_MS,
                                LIMIT_HOOK_BACKOFF_MAX_MS);
    if (wait < failure->wait_ms)
        wait = failure->wait_ms < LIMIT_HOOK_RETRY_AFTER_MS ? failure->wait_ms
                                                            : LIMIT_HOOK_RETRY_AFTER_MS;
    lane->due = item->bury ? INT64_MIN : failure->now + wait;
}

void hook_lanes_postpone(struct hook_lanes *l, struct hook_item *item, int64_t now, int64_t wait_ms)
{
    (void)l;
    end_turn(item)->due = now + wait_ms;
}

void hook_lanes_hurry(struct hook_lanes *l, int64_t now)
{
    for (struct hook_lane *lane = l->lanes; lane != NULL; lane = lane->next) {
        if (lane->due > now)
            lane->due = now;
    }
}

bool hook_lanes_cursor(struct hook_lanes *l, struct span *id)
{
    const bool moved = l->moved;
    l->moved = false;
    *id = span_of(l->cursor, l->cursor_len);
    return moved;
}
