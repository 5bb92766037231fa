/*
 * Whether a complaint has dead letters must be known before one of its events is sent. Mostly nobody has any;
 * the feed knows that (it is the only one who buries) and asks nobody. Otherwise the first event of each lane is
 * buried "if its complaint still has dead letters", and sent when Redis says that it has none.
 *
 * A replay goes over all dead letters from the first to the last, and sends those of the complaints that are
 * marked. A letter goes when it was delivered; the first one that is not ends its complaint's replay.
 */
#include "engine/app/hook_feed_private.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <stdlib.h>
#include <string.h>

enum { FULL_WAIT_MS = 30000 /* when there is no room among the dead letters */ };

/* ---- dead letters ---- */

static void on_buried(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct hook_feed *feed = q.feed;
    const int64_t now = clock_steady_ms();
    if (err != NULL) {
        feed_trouble(feed, err, now);
    } else if (number == 1) {
        feed->any_dead = true;
        metric_add(METRIC_HOOK_DEAD, 1);
        hook_lanes_buried(feed->lanes, q.item);
    } else if (number == 0) {
        hook_lanes_revived(feed->lanes, q.item);
    } else {
        log_write(LOG_ERROR, "hooks", "dead_letters_full", LOG_STR("community", feed->community),
                  LOG_SPAN("endpoint", feed_hook(feed)),
                  LOG_STR("error", "replay them; until then their complaints wait"));
        hook_lanes_postpone(feed->lanes, q.item, now, FULL_WAIT_MS);
    }
}

/* The event's id for the outside stands in its body, as its first member. */
static struct span event_of(struct span body)
{
    static const char before[] = "{\"id\":\"";
    const struct span rest = span_sub(body, sizeof before - 1, body.len);
    const ptrdiff_t end = span_find_char(rest, '"');
    return span_sub(rest, 0, end < 0 ? 0 : (size_t)end);
}

void feed_bury(struct hook_feed *feed, struct hook_item *item, int64_t now)
{
    struct err err = {0};
    const struct letter letter = {.event = event_of(item->data),
                                  .order = item->order,
                                  .version = item->version,
                                  .body = item->data,
                                  .reason = item->bury ? span_str(item->reason)
                                                       : SPAN("an earlier event of the complaint "
                                                              "was not taken"),
                                  .attempts = item->attempts,
                                  .at = clock_now_ms()};
    struct feed_question *q = feed_ask(feed, item, now);
    if (q != NULL && letters_bury(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                  &letter, item->bury, on_buried, q, &err) == 0) {
        if (item->bury)
            log_write(LOG_WARN, "hooks", "dead_letter", LOG_SPAN("endpoint", feed_hook(feed)),
                      LOG_SPAN("event_id", letter.event), LOG_INT("attempts", item->attempts),
                      LOG_STR("error", item->reason));
        return;
    }
    feed_unask(q);
    feed_begin_again(feed, now);
}

/* ---- replays ---- */

static int compare_marks(const void *a, const void *b)
{
    return strcmp(a, b);
}

static char *find_mark(struct feed_replay *replay, struct span order)
{
    char key[ID_ULID_BYTES + 1];
    if (order.len != ID_ULID_BYTES)
        return NULL;
    memcpy(key, order.ptr, ID_ULID_BYTES);
    key[ID_ULID_BYTES] = '\0';
    return bsearch(key, replay->marks, replay->count, sizeof replay->marks[0], compare_marks);
}

static void on_marks(void *ctx, const struct span *orders, size_t count, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct feed_replay *replay = &q.feed->replay;
    if (err != NULL) {
        feed_trouble(q.feed, err, clock_steady_ms());
        return;
    }
    replay->reading = false;
    replay->count = 0;
    for (size_t i = 0; i < count && i < LIMIT_HOOK_PAGE; i++) {
        if (orders[i].len != ID_ULID_BYTES)
            continue;
        memcpy(replay->marks[replay->count], orders[i].ptr, ID_ULID_BYTES);
        replay->marks[replay->count++][ID_ULID_BYTES] = '\0';
    }
    qsort(replay->marks, replay->count, sizeof replay->marks[0], compare_marks);
    memcpy(replay->after, EVENTS_START, sizeof EVENTS_START);
    replay->at_end = replay->count == 0;
}

static void on_letters(void *ctx, const struct letter *letters, size_t count, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct hook_feed *feed = q.feed;
    struct feed_replay *replay = &feed->replay;
    bool good = err == NULL;
    for (size_t i = 0; good && i < count; i++) {
        good = feed_keep_id(replay->after, letters[i].id);
        if (!good || find_mark(replay, letters[i].order) == NULL)
            continue;
        const struct hook_added added = {.id = letters[i].id,
                                         .order = letters[i].order,
                                         .data = letters[i].body,
                                         .version = letters[i].version,
                                         .at = clock_real_ms(), /* its age begins anew */
                                         .wanted = true};
        good = hook_lanes_add(feed->replays, &added) == 0;
    }
    if (!good) {
        feed_trouble(feed, err, clock_steady_ms());
        return;
    }
    replay->reading = false;
    replay->at_end = count < LIMIT_HOOK_PAGE;
}

/* One round: some of the marked complaints, then all dead letters from the first to the last. The next round
 * begins when everything that this one found has been settled. */
void feed_replay(struct hook_feed *feed, int64_t now)
{
    struct feed_replay *replay = &feed->replay;
    struct err err = {0};
    int sent = 0;
    if (replay->reading || (!replay->running && !replay->wanted))
        return;
    if (replay->running && replay->at_end) {
        if (hook_lanes_waiting(feed->replays) == 0) {
            replay->running = replay->wanted = false;
            feed->ask_at = now; /* are there more? */
        }
        return;
    }
    if (replay->running && hook_lanes_room(feed->replays) < LIMIT_HOOK_PAGE)
        return;
    struct feed_question *q = feed_ask(feed, NULL, now);
    if (q == NULL)
        return; /* at the next turn */
    if (!replay->running)
        sent = letters_marks(feed->shared->redis, feed_community(feed), feed_hook(feed),
                             LIMIT_HOOK_PAGE, on_marks, q, &err);
    else
        sent = letters_read(feed->shared->redis, feed_community(feed), feed_hook(feed),
                            span_str(replay->after), LIMIT_HOOK_PAGE, on_letters, q, &err);
    if (sent < 0) {
        feed_unask(q);
        return;
    }
    replay->running = replay->reading = true;
    replay->at_end = false;
}

static void on_removed(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    (void)number;
    if (!feed_answered(ctx, &q))
        return;
    if (err != NULL) {
        feed_trouble(q.feed, err, clock_steady_ms());
        return;
    }
    metric_add(METRIC_HOOK_REPLAYED, 1);
    hook_lanes_delivered(q.feed->replays, q.item);
}

void feed_remove(struct hook_feed *feed, struct hook_item *item, int64_t now)
{
    struct err err = {0};
    struct feed_question *q = feed_ask(feed, item, now);
    if (q != NULL && letters_remove(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                    item->order, item->id, on_removed, q, &err) == 0)
        return;
    feed_unask(q);
    feed_begin_again(feed, now);
}

static void on_unmarked(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    (void)number;
    if (!feed_answered(ctx, &q))
        return;
    if (err != NULL) {
        feed_trouble(q.feed, err, clock_steady_ms());
        return;
    }
    hook_lanes_buried(q.feed->replays, q.item);
}

/* The replay of a complaint failed. */
void feed_give_up(struct hook_feed *feed, struct hook_item *item, int64_t now)
{
    struct err err = {0};
    char *mark = find_mark(&feed->replay, item->order);
    struct feed_question *q = feed_ask(feed, item, now);
    if (mark != NULL) {
        const size_t at = (size_t)(mark - feed->replay.marks[0]) / sizeof feed->replay.marks[0];
        feed->replay.count--;
        memmove(mark, mark + sizeof feed->replay.marks[0],
                (feed->replay.count - at) * sizeof feed->replay.marks[0]);
    }
    if (q != NULL && letters_unmark(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                    item->order, on_unmarked, q, &err) == 0)
        return;
    feed_unask(q);
    feed_begin_again(feed, now);
}
