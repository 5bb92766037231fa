#include "engine/api/stats_json.h"

#include <math.h>

/* What is counted of orders themselves, up to here; ratings and the rest have members of their own. */
enum { ORDER_FIGURES = FIGURE_STARS_1, STARS = 5 };

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* "share" to four places, or null when there is nothing to tell, and "of". */
static void write_share(struct json_writer *w, struct figures_share share)
{
    if (share.whole > 0) {
        json_member_double(w, "share",
                           round((double)share.part / (double)share.whole * 10000) / 10000);
    } else {
        json_key(w, "share");
        json_write_null(w);
    }
    json_member_i64(w, "of", share.whole);
}

static void write_met(struct json_writer *w, bool known, bool met)
{
    json_key(w, "met");
    if (known)
        json_write_bool(w, met);
    else
        json_write_null(w);
}

static void write_rates(struct json_writer *w, const struct figures_row *row,
                        const struct targets *targets)
{
    json_key(w, "rates");
    json_open_object(w);
    for (enum figures_rate rate = 0; rate < FIGURES_RATE_COUNT; rate++) {
        json_key(w, figures_rate_name(rate));
        json_open_object(w);
        write_share(w, figures_rate(row, targets, rate));
        json_close_object(w);
    }
    json_close_object(w);
}

/* The share is compared as it is, not as it is rounded. */
static void write_targets(struct json_writer *w, const struct figures_row *row,
                          const struct targets *targets)
{
    json_key(w, "targets");
    json_open_object(w);
    for (enum target target = 0; target < TARGET_COUNT; target++) {
        const struct figures_share share = figures_target(row, targets, target);
        const double wanted = targets_share(targets, target);
        json_key(w, target_name(target));
        json_open_object(w);
        write_share(w, share);
        json_member_double(w, "target", wanted);
        write_met(w, share.whole > 0, figures_share_reaches(share, wanted));
        json_close_object(w);
    }
    struct figures_clock respond;
    figures_clock(row, CLOCK_RESPOND, &respond);
    json_key(w, "first_response");
    json_open_object(w);
    json_key(w, "mean_s");
    if (respond.met > 0)
        json_write_double(w, seconds(respond.mean));
    else
        json_write_null(w);
    json_member_i64(w, "of", respond.met);
    json_member_double(w, "target_s", seconds(targets_response_ms(targets)));
    write_met(w, respond.met > 0, respond.mean <= targets_response_ms(targets));
    json_close_object(w);
    json_close_object(w);
}

static void write_stars(struct json_writer *w, const char *key, const int64_t *counts)
{
    json_key(w, key);
    json_open_array(w);
    for (size_t i = 0; i < STARS; i++)
        json_write_i64(w, counts[i]);
    json_close_array(w);
}

static void write_clock(struct json_writer *w, const struct figures_row *row, enum sla_clock c)
{
    struct figures_clock clock;
    figures_clock(row, c, &clock);
    json_key(w, sla_clock_name(c));
    json_open_object(w);
    json_member_i64(w, "orders", clock.orders);
    json_member_i64(w, "met", clock.met);
    json_member_i64(w, "in_time", clock.in_time);
    json_member_i64(w, "late", clock.late);
    json_member_i64(w, "overdue", clock.overdue);
    json_member_i64(w, "stopped", clock.stopped);
    if (clock.met > 0) {
        json_member_double(w, "mean_s", seconds(clock.mean));
        json_member_double(w, "p50_s", seconds(clock.p50));
        json_member_double(w, "p90_s", seconds(clock.p90));
        json_member_double(w, "p99_s", seconds(clock.p99));
    }
    json_close_object(w);
}

void stats_write(struct json_writer *w, const struct figures_row *row,
                 const struct targets *targets)
{
    json_key(w, "orders");
    json_open_object(w);
    for (enum figure f = 0; f < (enum figure)ORDER_FIGURES; f++)
        json_member_i64(w, figure_name(f), row->counts[f]);
    json_close_object(w);
    write_rates(w, row, targets);
    write_targets(w, row, targets);
    json_key(w, "ratings");
    json_open_object(w);
    write_stars(w, "stars", &row->counts[FIGURE_STARS_1]);
    write_stars(w, "special_groups", &row->counts[FIGURE_SPECIAL_1]);
    json_close_object(w);
    json_key(w, "clocks");
    json_open_object(w);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        write_clock(w, row, c);
    json_close_object(w);
}
