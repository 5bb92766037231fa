/*
 * match: how fast keywords are found, against others, in one process run.
 *
 * The texts are complaints; each is searched on its own, as a server would. The keywords are drawn
 * from them: a length of 2 to 8 characters (uniform) and a place (uniform over all units of the
 * normalised texts); a draw that holds anything but Han characters, or was drawn before, is made
 * again. The generator is splitmix64, seeded by --seed; 1,000 keywords are the first of 10,000, and
 * these of 50,000.
 *
 * Ours starts from the raw UTF-8: checking, normalising and matching are in its time. The peers
 * are handed the normalised text as UTF-8, ready made, so that all look at the same characters.
 * Rates are over the bytes as they were written. Hits are taken as each gives them: ours in an
 * array, Hyperscan's by its callback, the automaton's by counting. Every contestant must count the
 * same matches, or the run fails. Hyperscan's rate is the better of the two with and without
 * HS_FLAG_SINGLEMATCH, whose count is compared with the first of ours in each complaint. PCRE2's
 * alternation is slow: it gets some of the complaints, and its count is compared with what is
 * leftmost, then longest, and does not overlap among ours.
 *
 * The contestants take turns, --rounds times, so that what else happens on the machine falls on all
 * alike; medians of the processor time used are shown. Each has one thread.
 */
#include "bench/matchers/contest.h"

#include "engine/base/mem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };
enum { MOST_CONTESTANTS = 12, MOST_ROUNDS = 101, PCRE_TEXTS = 200 };

static const char help[] =
    "match [options]: how fast keywords are found, against Hyperscan and others\n"
    "\n"
    "  --data FILE.tsv  the complaints (../shared/data/complaints_unlabelled.tsv)\n"
    "  --rounds N       turns of each contestant (9)\n"
    "  --seed N         of the keywords (3)\n"
    "  --out FILE       write the figures as JSON\n"
    "  --help           this text\n";

struct options {
    const char *data, *out;
    uint64_t rounds, seed;
};

/* One contestant's figures for one number of keywords. */
struct result {
    struct contestant contestant;
    bool is_ours, is_hyperscan;
    double compile_ms;
    uint64_t matches; /* to be found */
    uint64_t ns[MOST_ROUNDS];
    double mb_s;
};

struct bench {
    struct options options;
    struct corpus corpus;
    struct keyword_list keywords;
    struct result results[MOST_CONTESTANTS];
    size_t count;
    FILE *out;
    bool any_row;
};

/* What this thread has used of a processor: on a machine that others use too, time spent waiting for
 * one says nothing about a contestant. All run in one thread. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int by_time(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static uint64_t median(uint64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, by_time);
    return ns[count / 2];
}

/* --- taking part --- */

static void enter(struct bench *bench, struct contestant contestant, bool ours, bool hyperscan)
{
    bench->results[bench->count++] =
        (struct result){.contestant = contestant, .is_ours = ours, .is_hyperscan = hyperscan};
}

static void enter_all(struct bench *bench)
{
    bench->count = 0;
    for (int level = (int)cpu_level(); level >= CPU_PORTABLE; level--)
        enter(bench, jiesu_contestant((enum cpu_level)level), true, false);
    for (int level = (int)cpu_level(); level >= CPU_PORTABLE; level--)
        enter(bench, jiesu_units_contestant((enum cpu_level)level), false, false);
    enter(bench, jiesu_text_contestant(), false, false);
    enter(bench, hyperscan_contestant(0), false, true);
    enter(bench, hyperscan_contestant(1), false, true);
    enter(bench, automaton_contestant(), false, false);
}

/* Compiles once, or for ours as often as there are rounds, and takes the median. */
static int compile(struct bench *bench, struct result *result, size_t keywords)
{
    struct contestant *c = &result->contestant;
    size_t times = result->is_ours ? (size_t)bench->options.rounds : 1;
    for (size_t i = 0; i < times; i++) {
        if (c->state != NULL)
            c->release(c);
        uint64_t start = cpu_ns();
        if (c->compile(c, &bench->keywords, keywords) != 0)
            return -1;
        result->ns[i] = cpu_ns() - start;
    }
    result->compile_ms = (double)median(result->ns, times) / 1e6;
    return 0;
}

static int turn(struct bench *bench, struct result *result, size_t round)
{
    struct contestant *c = &result->contestant;
    uint64_t start = cpu_ns();
    uint64_t matches = c->run(c, &bench->corpus);
    result->ns[round] = cpu_ns() - start;
    if (matches == result->matches)
        return 0;
    fprintf(stderr, "match: %s counts %" PRIu64 " matches, not %" PRIu64 "\n", c->name, matches,
            result->matches);
    return -1;
}

/* Counts with one more contestant, which is not measured. UINT64_MAX when it cannot. */
static uint64_t count_with(struct bench *bench, struct contestant contestant, size_t keywords,
                           const struct corpus *corpus)
{
    uint64_t matches = UINT64_MAX;
    if (contestant.compile(&contestant, &bench->keywords, keywords) == 0)
        matches = contestant.run(&contestant, corpus);
    contestant.release(&contestant);
    return matches;
}

static int measure(struct bench *bench, size_t keywords)
{
    uint64_t all =
        count_with(bench, jiesu_units_contestant(CPU_PORTABLE), keywords, &bench->corpus);
    uint64_t single = count_with(bench, jiesu_single_contestant(), keywords, &bench->corpus);
    for (size_t i = 0; i < bench->count; i++) {
        struct result *result = &bench->results[i];
        if (compile(bench, result, keywords) != 0) {
            fprintf(stderr, "match: %s: %s\n", result->contestant.name, result->contestant.why);
            return -1;
        }
        bool once = result->is_hyperscan && result->contestant.option != 0;
        bool none = strcmp(result->contestant.name, jiesu_text_contestant().name) == 0;
        result->matches = none ? 0 : once ? single : all;
    }
    for (size_t round = 0; round < bench->options.rounds; round++)
        for (size_t i = 0; i < bench->count; i++)
            if (turn(bench, &bench->results[i], round) != 0)
                return -1;
    for (size_t i = 0; i < bench->count; i++) {
        struct result *result = &bench->results[i];
        result->mb_s = (double)bench->corpus.bytes * 1e3 /
                       (double)median(result->ns, (size_t)bench->options.rounds);
        result->contestant.release(&result->contestant);
    }
    return 0;
}

/* --- figures --- */

static double best_hyperscan(const struct bench *bench)
{
    double best = 0;
    for (size_t i = 0; i < bench->count; i++)
        if (bench->results[i].is_hyperscan && bench->results[i].mb_s > best)
            best = bench->results[i].mb_s;
    return best;
}

static void print_table(const struct bench *bench, size_t keywords)
{
    const double hyperscan = best_hyperscan(bench);
    bool ours = true;
    printf("%zu keywords, %" PRIu64 " matches\n", keywords, bench->results[0].matches);
    printf("  %-36s %10s %12s %12s\n", "", "MB/s", "x Hyperscan", "compile ms");
    for (size_t i = 0; i < bench->count; i++) {
        const struct result *result = &bench->results[i];
        const bool units = ours && !result->is_ours && i < 2 * ((size_t)cpu_level() + 1);
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", result->is_ours || units ? "jiesu " : "",
                 result->contestant.name, units ? ", text normalised before" : "");
        printf("  %-36s %10.0f %12.2f %12.1f\n", name, result->mb_s, result->mb_s / hyperscan,
               result->compile_ms);
    }
}

static void write_rows(struct bench *bench, size_t keywords)
{
    const double hyperscan = best_hyperscan(bench);
    for (size_t i = 0; i < bench->count && bench->out != NULL; i++) {
        const struct result *result = &bench->results[i];
        if (!result->is_ours)
            continue;
        fprintf(bench->out,
                "%s\n  {\"keywords\": %zu, \"variant\": \"%s\", \"jiesu_mb_s\": %.1f, "
                "\"hyperscan_mb_s\": %.1f, \"ratio\": %.3f, \"compile_ms\": %.3f, "
                "\"matches\": %" PRIu64 "}",
                bench->any_row ? "," : "", keywords, result->contestant.name, result->mb_s,
                hyperscan, result->mb_s / hyperscan, result->compile_ms, result->matches);
        bench->any_row = true;
    }
}

/* On the first complaints, once. */
static int run_pcre(struct bench *bench, size_t keywords)
{
    struct corpus some = bench->corpus;
    some.count = some.count < PCRE_TEXTS ? some.count : PCRE_TEXTS;
    size_t bytes = 0;
    for (size_t i = 0; i < some.count; i++)
        bytes += some.texts[i].title.len + some.texts[i].body.len;
    struct contestant pcre = pcre_contestant();
    uint64_t start = cpu_ns();
    if (pcre.compile(&pcre, &bench->keywords, keywords) != 0) {
        printf("  %-36s does not compile: %s\n\n", pcre.name, pcre.why);
        return 0;
    }
    double compile_ms = (double)(cpu_ns() - start) / 1e6;
    start = cpu_ns();
    uint64_t matches = pcre.run(&pcre, &some);
    double mb_s = (double)bytes * 1e3 / (double)(cpu_ns() - start);
    pcre.release(&pcre);
    printf("  %-36s %10.1f %12.4f %12.1f  (%zu complaints, once)\n\n", pcre.name, mb_s,
           mb_s / best_hyperscan(bench), compile_ms, some.count);
    uint64_t expected = count_with(bench, jiesu_leftmost_contestant(), keywords, &some);
    if (matches == expected)
        return 0;
    fprintf(stderr, "match: %s counts %" PRIu64 " matches, not %" PRIu64 "\n", pcre.name, matches,
            expected);
    return -1;
}

static int run_all(struct bench *bench)
{
    static const size_t sizes[] = {1000, 10000, 50000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t keywords = sizes[i] < bench->keywords.count ? sizes[i] : bench->keywords.count;
        if (keywords < sizes[i])
            fprintf(stderr, "match: the texts give only %zu of %zu keywords\n", keywords, sizes[i]);
        enter_all(bench);
        if (keywords == 0 || measure(bench, keywords) != 0)
            return -1;
        print_table(bench, keywords);
        write_rows(bench, keywords);
        fflush(stdout);
        if (run_pcre(bench, keywords) != 0)
            return -1;
    }
    return 0;
}

/* --- command line --- */

static bool read_number(const char *name, const char *text, uint64_t least, uint64_t most,
                        uint64_t *out)
{
    if (span_to_u64(span_str(text), most, out) == 0 && *out >= least)
        return true;
    fprintf(stderr, "match: --%s must be a number from %" PRIu64 " to %" PRIu64 "\n", name, least,
            most);
    return false;
}

/* 0 to go on, else what to exit with; -1 for success at once. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'}, {"rounds", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'}, {"out", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == 'd')
            options->data = optarg;
        else if (c == 'o')
            options->out = optarg;
        else if (c == 'r')
            good = read_number("rounds", optarg, 1, MOST_ROUNDS, &options->rounds);
        else
            good = c == 's' && read_number("seed", optarg, 0, UINT64_MAX, &options->seed);
    }
    if (good && optind == argc)
        return 0;
    fputs("match: see --help\n", stderr);
    return EXIT_BAD_USAGE;
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .options = {.data = "../shared/data/complaints_unlabelled.tsv", .rounds = 9, .seed = 3}};
    int end = parse(argc, argv, &bench.options);
    if (end != 0)
        return end < 0 ? EXIT_SUCCESS : end;
    if (access(bench.options.data, R_OK) != 0) {
        const char *demo = "rules/cases/demo.tsv";
        fprintf(stderr, "match: cannot read %s (%s); the texts are those of %s, which are few\n",
                bench.options.data, strerror(errno), demo);
        bench.options.data = demo;
    }
    if (corpus_read(&bench.corpus, bench.options.data) != 0 ||
        keyword_list_draw(&bench.keywords, &bench.corpus, 50000, bench.options.seed) != 0)
        return EXIT_UNAVAILABLE_;
    if (bench.options.out != NULL && (bench.out = fopen(bench.options.out, "w")) == NULL) {
        fprintf(stderr, "match: cannot write %s: %s\n", bench.options.out, strerror(errno));
        return EXIT_UNAVAILABLE_;
    }
    printf("%zu complaints, %.2f MB, %zu units; medians of %" PRIu64 " rounds\n\n",
           bench.corpus.count, (double)bench.corpus.bytes / 1e6, bench.corpus.unit_count,
           bench.options.rounds);
    if (bench.out != NULL)
        fputc('[', bench.out);
    int bad = run_all(&bench);
    if (bench.out != NULL) {
        fputs("\n]\n", bench.out);
        bad |= fclose(bench.out) != 0;
    }
    keyword_list_free(&bench.keywords);
    corpus_free(&bench.corpus);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
