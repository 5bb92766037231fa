/*
 * When is a confirmed record safe from a kill -9 of Redis, and from the loss of the last second of
 * its append-only file (AOF)?
 *
 * Not when it is confirmed, and not simply some time later. With appendfsync everysec Redis
 * collects the commands of a turn in memory and writes them to the file before it sends the
 * replies, unless an fsync is still running on its other thread: then it puts the write off, for up
 * to two seconds, and replies all the same. And a Redis that is frozen (SIGSTOP, a stuck virtual
 * machine) lets no time pass at all: two seconds on our clock can be none on its own. So time is
 * counted in answers of Redis. Every HOLD_PROBE_MS `INFO persistence` is sent on the connection
 * that the records took; with it the number confirmed until then is marked.
 *
 * 1. A mark is LIMIT_OUTBOX_HOLD_MS (two seconds) old when a later probe P1 is sent, and P1 is
 *    answered. To carry out P1, Redis turned its loop at least two seconds after the mark, and
 *    before it sends P1's reply it writes what it had put off: in that turn it may not put it
 *    off any longer. By then a second has passed since an ordinary write, so that its fsync was
 *    started, too.
 * 2. A still later probe P2 says that the last write succeeded (aof_last_write_status: this
 *    covers the write in P1's turn) and that no fsync is pending: those started before have
 *    ended.
 * 3. aof_delayed_fsync counts the writes that could be put off no longer and happened during an
 *    fsync. That fsync may not cover them. When the counter moved, all marks are made new, and
 *    count from now.
 *
 * Then everything up to the mark is in the file and on the disk: release it. On a disk so slow that
 * fsyncs are always pending nothing is released, the outbox grows, and at LIMIT_OUTBOX_HELD new
 * requests get 503: better than a promise that does not hold. A server without an AOF is given the
 * same time; it cannot keep the promise anyway, and the dispatcher says so in the log.
 */
#include "engine/store/hold.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"

#include <string.h>

bool hold_due(const struct hold *hold, int64_t now)
{
    return !hold->asking && (hold->asked_at == 0 || now - hold->asked_at >= HOLD_PROBE_MS);
}

void hold_asked(struct hold *hold, int64_t now, uint64_t confirmed)
{
    hold->asking = true;
    hold->asked_at = now;
    if (hold->count > 0 && hold->marks[hold->count - 1].seq == confirmed)
        return; /* nothing new; the older mark is the better one */
    if (hold->count == HOLD_MARKS)
        hold->count--; /* the newest gives way, so that the old ones grow older */
    hold->marks[hold->count++] = (struct hold_mark){.at = now, .seq = confirmed};
}

void hold_failed(struct hold *hold)
{
    hold->asking = false;
}

/* The value of "name:value\r\n", empty when it is not there. */
static struct span field(struct span info, struct span name)
{
    while (info.len > 0) {
        struct span line = span_trim(span_cut(&info, '\n'));
        if (span_starts(line, name))
            return span_sub(line, name.len, line.len);
    }
    return span_of(NULL, 0);
}

/* Takes the newest mark that is old enough at `then`; 0 when none is. */
static uint64_t take_mark(struct hold *hold, int64_t then)
{
    size_t n = 0;
    while (n < hold->count && hold->marks[n].at + LIMIT_OUTBOX_HOLD_MS <= then)
        n++;
    if (n == 0)
        return 0;
    uint64_t seq = hold->marks[n - 1].seq;
    hold->count -= n;
    memmove(hold->marks, hold->marks + n, hold->count * sizeof(hold->marks[0]));
    return seq;
}

uint64_t hold_answered(struct hold *hold, struct span info, bool *aof)
{
    CHECK(hold->asking);
    hold->asking = false;
    *aof = !span_eq(field(info, SPAN("aof_enabled:")), SPAN("0"));
    uint64_t delayed = 0;
    span_to_u64(field(info, SPAN("aof_delayed_fsync:")), INT64_MAX, &delayed);
    if ((int64_t)delayed != hold->delayed) {
        hold->delayed = (int64_t)delayed;
        for (size_t i = 0; i < hold->count; i++)
            hold->marks[i].at = hold->asked_at;
    }
    bool good = !*aof || (span_eq(field(info, SPAN("aof_last_write_status:")), SPAN("ok")) &&
                          span_eq(field(info, SPAN("aof_pending_bio_fsync:")), SPAN("0")));
    uint64_t seq = good && hold->answered_at != 0 ? take_mark(hold, hold->answered_at) : 0;
    hold->answered_at = hold->asked_at;
    return seq;
}
