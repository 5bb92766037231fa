/*
 * classify: how many complaints one core classifies in a second, with everything that rules/ holds,
 * against Hyperscan, which merely scans the same texts for the same literals.
 *
 * The literals are those that the rule set's own matcher was built of (the linker hands keywords_add
 * to us first, --wrap): keywords, the literals that regexes need, words of conditions and negations,
 * learned n-grams. Hyperscan gets them as UTF-8 with hs_compile_lit_multi, and the texts normalised
 * beforehand; ours starts from the raw text and ends with a verdict and its evidence: it checks and
 * normalises, matches, runs regexes, scores, decides. Hyperscan's rate is the better of the two with
 * and without HS_FLAG_SINGLEMATCH. They take turns, --rounds times; medians of the processor time
 * used are shown.
 *
 * What a complaint costs against the number of rules: rule sets of 100, 1,000 and 10,000 rules, each
 * with RULE_WORDS keywords drawn from the texts as bench/match draws them (--seed), every tenth with
 * a regex of two of them besides; without learned weights; with the shipped urgencies, kinds, tags
 * and conditions.
 */
#include "bench/matchers/contest.h"

#include "classifiers/keywords.h"
#include "classifiers/rules.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69, EXIT_CONFIG_ = 78 };
enum { MOST_ROUNDS = 101, RULE_WORDS = 5, REGEX_EVERY = 10, PATH_BYTES = 4096 };

static const char help[] =
    "classify [options]: how fast complaints are classified, against Hyperscan's mere scan\n"
    "\n"
    "  --rules DIR      the rule set (rules)\n"
    "  --data FILE.tsv  the complaints (../shared/data/complaints_unlabelled.tsv)\n"
    "  --rounds N       turns of each (9)\n"
    "  --seed N         of the made-up rules (3)\n"
    "  --out FILE       write the figures as JSON\n"
    "  --help           this text\n";

static const size_t rule_counts[] = {100, 1000, 10000};
enum { RULE_COUNTS = sizeof rule_counts / sizeof *rule_counts };

struct options {
    const char *rules, *data, *out;
    uint64_t rounds, seed;
};

struct by_rules {
    size_t rules, keywords;
    double ns, load_ms;
};

struct bench {
    struct options options;
    struct corpus corpus;
    struct rules_scratch *scratch;
    struct rules *rules;
    struct keyword_list literals;  /* of the shipped rule set */
    uint64_t verdicts, matches;    /* of one turn */
    double jiesu_ns, hyperscan_ns; /* per complaint, medians */
    struct by_rules by_rules[RULE_COUNTS];
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int by_size(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static double median(uint64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, by_size);
    const size_t middle = count / 2;
    return (double)ns[middle];
}

/* --- the literals of a rule set --- */

/* Where literals are noted while a rule set is compiled; NULL: not at all. */
static struct keyword_list *noted;

int __real_keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                        uint32_t value, struct err *err);
int __wrap_keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                        uint32_t value, struct err *err);

static void note_unit(struct buf *out, const uint16_t *units, size_t *i, size_t count)
{
    uint32_t c = units[*i];
    if (c >= 0xD800 && c < 0xDC00 && *i + 1 < count)
        c = 0x10000 + ((c - 0xD800) << 10) + (units[++*i] - 0xDC00U);
    if (c < 0x80) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xC0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        if (c >= 0x10000)
            buf_char(out, (char)(0xF0 | c >> 18));
        buf_char(out, (char)(c < 0x10000 ? 0xE0 | c >> 12 : 0x80 | (c >> 12 & 0x3F)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

int __wrap_keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                        uint32_t value, struct err *err)
{
    if (noted != NULL) {
        struct keyword *items = mem_resize(noted->items, noted->count + 1, sizeof *items);
        if (items == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        noted->items = items;
        size_t from = noted->utf8.len;
        for (size_t i = 0; i < count; i++)
            note_unit(&noted->utf8, units, &i, count);
        /* The bytes still move: the pointer is set when all are there. */
        items[noted->count++].utf8 = span_of(NULL, noted->utf8.len - from);
    }
    return __real_keywords_add(builder, units, count, value, err);
}

static struct rules *load(const char *dir, unsigned parts, struct keyword_list *literals)
{
    struct err err = {0};
    noted = literals;
    struct rules *rules = rules_load_with(dir, parts, &err);
    noted = NULL;
    if (rules == NULL)
        fprintf(stderr, "classify: %s\n", err.text);
    size_t at = 0;
    for (size_t i = 0; literals != NULL && i < literals->count; i++) {
        literals->items[i].utf8.ptr = literals->utf8.data + at;
        at += literals->items[i].utf8.len;
    }
    return rules;
}

/* --- ours --- */

/* Classifies all complaints; the nanoseconds it took, 0 when one could not be. */
static uint64_t turn(struct bench *bench, const struct rules *rules)
{
    uint64_t start = cpu_ns();
    bench->verdicts = 0;
    for (size_t i = 0; i < bench->corpus.count; i++) {
        struct verdict verdict;
        const struct complaint_text *text = &bench->corpus.texts[i];
        if (classify(rules, bench->scratch, text->title, text->body, &verdict, NULL) != 0)
            return 0;
        bench->verdicts += verdict.category.path.len != 0;
    }
    return cpu_ns() - start;
}

/* --- against Hyperscan --- */

/* One turn of each in each round. */
static int take_turns(struct bench *bench, struct contestant peers[2])
{
    uint64_t ours[MOST_ROUNDS] = {0}, theirs[2][MOST_ROUNDS] = {{0}, {0}};
    size_t rounds = (size_t)bench->options.rounds;
    for (size_t round = 0; round < rounds; round++) {
        if ((ours[round] = turn(bench, bench->rules)) == 0)
            return -1;
        for (size_t p = 0; p < 2; p++) {
            uint64_t start = cpu_ns();
            uint64_t matches = peers[p].run(&peers[p], &bench->corpus);
            theirs[p][round] = cpu_ns() - start;
            if (matches == UINT64_MAX)
                return -1;
            if (p == 0)
                bench->matches = matches;
        }
    }
    double count = (double)bench->corpus.count;
    double all = median(theirs[0], rounds), single = median(theirs[1], rounds);
    bench->jiesu_ns = median(ours, rounds) / count;
    bench->hyperscan_ns = (all < single ? all : single) / count;
    return 0;
}

static int against_hyperscan(struct bench *bench)
{
    struct contestant peers[2] = {hyperscan_contestant(0), hyperscan_contestant(1)};
    int bad = 0;
    for (size_t p = 0; p < 2 && bad == 0; p++)
        if ((bad = peers[p].compile(&peers[p], &bench->literals, bench->literals.count)) != 0)
            fprintf(stderr, "classify: %s: %s\n", peers[p].name, peers[p].why);
    if (bad == 0)
        bad = take_turns(bench, peers);
    for (size_t p = 0; p < 2; p++)
        peers[p].release(&peers[p]);
    return bad;
}

/* --- against the number of rules --- */

static int copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[PATH_BYTES], to[PATH_BYTES], block[65536];
    if (snprintf(from, sizeof from, "%s/%s", from_dir, name) >= (int)sizeof from ||
        snprintf(to, sizeof to, "%s/%s", to_dir, name) >= (int)sizeof to)
        return -1;
    FILE *in = fopen(from, "r");
    if (in == NULL)
        return errno == ENOENT ? 0 : -1;
    FILE *out = fopen(to, "w");
    int bad = out == NULL;
    for (size_t n; !bad && (n = fread(block, 1, sizeof block, in)) > 0;)
        bad = fwrite(block, 1, n, out) != n;
    bad |= ferror(in) != 0;
    fclose(in);
    if (out != NULL)
        bad |= fclose(out) != 0;
    return bad ? -1 : 0;
}

static const char *const shared_files[] = {"urgency.yaml",    "kinds.yaml",    "tags.yaml",
                                           "sla.yaml",        "calendar.yaml", "review.yaml",
                                           "conditions.yaml", "negations.yaml"};
enum { SHARED_FILES = sizeof shared_files / sizeof *shared_files };

static void write_rules(FILE *out, const struct keyword_list *words, size_t rules)
{
    fputs("category: 城乡建设\nrules:\n", out);
    for (size_t r = 0; r < rules; r++) {
        const struct keyword *w = &words->items[r * RULE_WORDS];
        fprintf(out, "  - path: 类%zu/规则%zu\n    keywords:\n      3: ['%.*s'", r / 100, r,
                SPAN_ARG(w[0].utf8));
        for (size_t i = 1; i < RULE_WORDS; i++)
            fprintf(out, ", '%.*s'", SPAN_ARG(w[i].utf8));
        fputs("]\n", out);
        if (r % REGEX_EVERY == 0)
            fprintf(out, "    regexes:\n      5: ['%.*s.{0,6}%.*s']\n", SPAN_ARG(w[0].utf8),
                    SPAN_ARG(w[1].utf8));
    }
}

/* Writes a rule set of that many rules into dir. */
static int make_rules(const struct bench *bench, const char *dir, const struct keyword_list *words,
                      size_t rules)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < SHARED_FILES; i++)
        if (copy_file(bench->options.rules, dir, shared_files[i]) != 0)
            return -1;
    snprintf(path, sizeof path, "%s/categories", dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    snprintf(path, sizeof path, "%s/categories/made.yaml", dir);
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return -1;
    write_rules(out, words, rules);
    return fclose(out);
}

static void remove_rules(const char *dir)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < SHARED_FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, shared_files[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/categories/made.yaml", dir);
    (void)unlink(path);
    snprintf(path, sizeof path, "%s/categories", dir);
    (void)rmdir(path);
    (void)rmdir(dir);
}

static int measure_rules(struct bench *bench, const char *dir, struct by_rules *row)
{
    uint64_t ns[MOST_ROUNDS] = {0}, start = cpu_ns();
    struct rules *rules = load(dir, RULES_ALL, NULL);
    if (rules == NULL)
        return -1;
    row->load_ms = (double)(cpu_ns() - start) / 1e6;
    row->keywords = rules_count(rules).keywords;
    int bad = 0;
    for (size_t round = 0; round < bench->options.rounds && bad == 0; round++)
        bad = (ns[round] = turn(bench, rules)) == 0;
    if (bad == 0)
        row->ns = median(ns, (size_t)bench->options.rounds) / (double)bench->corpus.count;
    rules_unref(&rules);
    return bad == 0 ? 0 : -1;
}

static int against_rules(struct bench *bench)
{
    char dir[] = "/tmp/jiesu-bench-XXXXXX";
    struct keyword_list words = {0};
    size_t most = rule_counts[RULE_COUNTS - 1];
    if (keyword_list_draw(&words, &bench->corpus, most * RULE_WORDS, bench->options.seed) != 0 ||
        mkdtemp(dir) == NULL) {
        keyword_list_free(&words);
        return -1;
    }
    int bad = 0;
    for (size_t i = 0; i < RULE_COUNTS && bad == 0; i++) {
        size_t rules = rule_counts[i];
        if (rules * RULE_WORDS > words.count)
            rules = words.count / RULE_WORDS;
        bench->by_rules[i].rules = rules;
        bad = make_rules(bench, dir, &words, rules);
        if (bad == 0)
            bad = measure_rules(bench, dir, &bench->by_rules[i]);
    }
    remove_rules(dir);
    keyword_list_free(&words);
    return bad;
}

/* --- figures --- */

static void print_figures(const struct bench *bench)
{
    struct rules_count count = rules_count(bench->rules);
    printf("%zu complaints, %.2f MB; medians of %" PRIu64 " rounds, one core\n",
           bench->corpus.count, (double)bench->corpus.bytes / 1e6, bench->options.rounds);
    printf("%zu keywords, %zu regexes (%zu without a literal), %zu n-grams: %zu literals, %" PRIu64
           " matches\n\n",
           count.keywords, count.regexes, count.regexes_unfiltered, count.ngrams,
           bench->literals.count, bench->matches);
    printf("  %-44s %10.0f/s  %7.2f us each\n", "jiesu: the whole classification",
           1e9 / bench->jiesu_ns, bench->jiesu_ns / 1e3);
    printf("  %-44s %10.0f/s  %7.2f us each\n", "Hyperscan: only finding the same literals",
           1e9 / bench->hyperscan_ns, bench->hyperscan_ns / 1e3);
    printf("  jiesu is at %.2f (>= 1), and at %.2f of 100,000/s (>= 1)\n\n",
           bench->hyperscan_ns / bench->jiesu_ns, 1e4 / bench->jiesu_ns);
    for (size_t i = 0; i < RULE_COUNTS; i++)
        printf("  %6zu rules (%6zu keywords of all files)     %8.2f us a complaint, loaded in %.0f "
               "ms\n",
               bench->by_rules[i].rules, bench->by_rules[i].keywords, bench->by_rules[i].ns / 1e3,
               bench->by_rules[i].load_ms);
}

static int write_figures(const struct bench *bench)
{
    if (bench->options.out == NULL)
        return 0;
    FILE *out = fopen(bench->options.out, "w");
    if (out == NULL) {
        fprintf(stderr, "classify: cannot write %s: %s\n", bench->options.out, strerror(errno));
        return -1;
    }
    fprintf(out,
            "{\"complaints_per_s\": %.0f, \"hyperscan_scan_per_s\": %.0f, \"literals\": %zu, "
            "\"matches\": %" PRIu64 ", \"by_rules\": [",
            1e9 / bench->jiesu_ns, 1e9 / bench->hyperscan_ns, bench->literals.count,
            bench->matches);
    for (size_t i = 0; i < RULE_COUNTS; i++)
        fprintf(
            out,
            "%s{\"rules\": %zu, \"keywords\": %zu, \"us_per_complaint\": %.3f, \"load_ms\": %.1f}",
            i == 0 ? "" : ", ", bench->by_rules[i].rules, bench->by_rules[i].keywords,
            bench->by_rules[i].ns / 1e3, bench->by_rules[i].load_ms);
    fputs("]}\n", out);
    return fclose(out);
}

/* --- command line --- */

/* 0 to go on, else what to exit with; -1 for success at once. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"rules", required_argument, NULL, 'R'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? EXIT_FAILURE : -1;
        if (c == 'R')
            options->rules = optarg;
        else if (c == 'd')
            options->data = optarg;
        else if (c == 'o')
            options->out = optarg;
        else if (c == 'r')
            good = span_to_u64(span_str(optarg), MOST_ROUNDS, &options->rounds) == 0 &&
                   options->rounds > 0;
        else
            good = c == 's' && span_to_u64(span_str(optarg), UINT64_MAX, &options->seed) == 0;
    }
    if (good && optind == argc)
        return 0;
    fputs("classify: see --help\n", stderr);
    return EXIT_BAD_USAGE;
}

static int run(struct bench *bench)
{
    bench->scratch = rules_scratch_new();
    bench->rules = load(bench->options.rules, RULES_ALL, &bench->literals);
    if (bench->rules == NULL || bench->scratch == NULL)
        return EXIT_CONFIG_;
    if (against_hyperscan(bench) != 0 || against_rules(bench) != 0) {
        fputs("classify: it cannot be measured\n", stderr);
        return EXIT_UNAVAILABLE_;
    }
    print_figures(bench);
    return write_figures(bench) == 0 ? EXIT_SUCCESS : EXIT_UNAVAILABLE_;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.options = {.rules = "rules",
                                             .data = "../shared/data/complaints_unlabelled.tsv",
                                             .rounds = 9,
                                             .seed = 3}};
    int end = parse(argc, argv, &bench.options);
    if (end != 0)
        return end < 0 ? EXIT_SUCCESS : end;
    if (access(bench.options.data, R_OK) != 0) {
        fprintf(stderr,
                "classify: cannot read %s (%s); the texts are those of rules/cases/demo.tsv\n",
                bench.options.data, strerror(errno));
        bench.options.data = "rules/cases/demo.tsv";
    }
    if (corpus_read(&bench.corpus, bench.options.data) != 0)
        return EXIT_UNAVAILABLE_;
    int status = run(&bench);
    if (bench.rules != NULL)
        rules_unref(&bench.rules);
    rules_scratch_free(&bench.scratch);
    keyword_list_free(&bench.literals);
    corpus_free(&bench.corpus);
    return status;
}
