#include "engine/base/random.h"
#include "engine/model/polygon.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const double full_turn = 6.283185307179586;

static double fraction(struct random *random)
{
    return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

static void a_square(void **state)
{
    (void)state;
    static const struct point square[] = {{28, 112}, {28, 113}, {29, 113}, {29, 112}};
    static const struct {
        struct point at;
        bool in;
    } rows[] = {
        {{28.5, 112.5}, true},  {{28.5, 111.9}, false},
        {{28.5, 113.1}, false}, {{27.9, 112.5}, false},
        {{29.1, 112.5}, false}, {{28, 112}, true}, /* south-west corner */
        {{28, 112.5}, true},                       /* south edge */
        {{28.5, 112}, true},                       /* west edge */
        {{29, 112.5}, false},                      /* north edge */
        {{28.5, 113}, false},                      /* east edge */
        {{29, 113}, false},     {{NAN, 112.5}, false},
        {{28.5, NAN}, false},   {{28.5, INFINITY}, false},
    };
    struct box box = polygon_box(square, COUNT(square));
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(polygon_contains(square, COUNT(square), rows[i].at), rows[i].in);
        if (rows[i].in)
            assert_true(box_contains(&box, rows[i].at));
    }
    assert_false(box_contains(&box, (struct point){NAN, 112.5}));
    assert_true(box.low.lat == 28 && box.low.lon == 112 && box.high.lat == 29 &&
                box.high.lon == 113);
}

static void flat_ones(void **state)
{
    (void)state;
    static const struct point line[] = {{1, 1}, {2, 2}, {3, 3}, {5, 5}};
    static const struct point dot[] = {{1, 1}, {1, 1}, {1, 1}};
    static const struct point bent[] = {{1, 1}, {1, 1}, {2, 2}, {3, 3}, {3, 4}};
    assert_true(polygon_flat(line, COUNT(line)));
    assert_true(polygon_flat(dot, COUNT(dot)));
    assert_false(polygon_flat(bent, COUNT(bent)));
}

/* How often the polygon winds around the point, by summing angles. */
static int winding(const struct point *points, size_t count, struct point at)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct point a = points[i], b = points[(i + 1) % count];
        double turn = atan2(b.lat - at.lat, b.lon - at.lon) - atan2(a.lat - at.lat, a.lon - at.lon);
        if (turn > full_turn / 2)
            turn -= full_turn;
        if (turn < -full_turn / 2)
            turn += full_turn;
        sum += turn;
    }
    return (int)lround(sum / full_turn);
}

/* A polygon around a centre, its points in order of angle: simple, but with dents. */
static size_t random_star(struct random *random, struct point *points)
{
    size_t count = 3 + random_below(random, 20);
    double turn = full_turn / (double)count;
    for (size_t i = 0; i < count; i++) {
        double angle = turn * ((double)i + 0.9 * fraction(random));
        double radius = 0.001 + 0.02 * fraction(random);
        points[i] = (struct point){28.2 + radius * sin(angle), 112.9 + radius * cos(angle)};
    }
    if (random_below(random, 2) == 0) /* the other way around */
        for (size_t i = 0; i < count / 2; i++) {
            struct point other = points[i];
            points[i] = points[count - 1 - i];
            points[count - 1 - i] = other;
        }
    return count;
}

static void property_crossing_equals_winding(void **state)
{
    (void)state;
    struct random random = {28112};
    size_t inside = 0;
    for (int round = 0; round < 400; round++) {
        struct point points[32];
        size_t count = random_star(&random, points);
        struct box box = polygon_box(points, count);
        for (int i = 0; i < 100; i++) {
            struct point at = {28.18 + 0.04 * fraction(&random), 112.88 + 0.04 * fraction(&random)};
            bool in = polygon_contains(points, count, at);
            assert_int_equal(in, winding(points, count, at) != 0);
            assert_true(!in || box_contains(&box, at));
            inside += in;
        }
    }
    assert_in_range(inside, 1000, 39000);
}

/* A square cut into triangles over a bent grid: every point, also on corners and edges, is in
 * exactly one. */
static void property_neighbours_share_no_point(void **state)
{
    (void)state;
    enum { N = 6 };
    struct random random = {4};
    for (int round = 0; round < 30; round++) {
        struct point grid[N + 1][N + 1];
        for (int i = 0; i <= N; i++)
            for (int k = 0; k <= N; k++) {
                bool rim = i == 0 || k == 0 || i == N || k == N;
                grid[i][k].lat = 28 + (i + (rim ? 0 : 0.4 * (fraction(&random) - 0.5))) / N;
                grid[i][k].lon = 112 + (k + (rim ? 0 : 0.4 * (fraction(&random) - 0.5))) / N;
            }
        for (int test = 0; test < 500; test++) {
            struct point at = {28 + fraction(&random), 112 + fraction(&random)};
            size_t row = random_below(&random, N), column = random_below(&random, N);
            if (test % 4 == 0) {
                at = grid[row][column];
            } else if (test % 4 == 1) {
                struct point a = grid[row][column], b = grid[row + 1][column];
                double part = fraction(&random);
                at = (struct point){a.lat + part * (b.lat - a.lat), a.lon + part * (b.lon - a.lon)};
            }
            int owners = 0;
            for (int i = 0; i < N; i++)
                for (int k = 0; k < N; k++) {
                    struct point low[] = {grid[i][k], grid[i][k + 1], grid[i + 1][k]};
                    struct point high[] = {grid[i + 1][k + 1], grid[i + 1][k], grid[i][k + 1]};
                    owners += polygon_contains(low, 3, at) + polygon_contains(high, 3, at);
                }
            if (owners != 1)
                fail_msg("%d owners of %.17g, %.17g", owners, at.lat, at.lon);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_square),
        cmocka_unit_test(flat_ones),
        cmocka_unit_test(property_crossing_equals_winding),
        cmocka_unit_test(property_neighbours_share_no_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
