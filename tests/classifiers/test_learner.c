/* Learning: on documents made up so that what must come out is known. */
#include "classifiers/learner.h"
#include "classifiers/learner_corpus.h"
#include "classifiers/learner_ngrams.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct learner_params params = {
    .max_ngrams = 1000, .min_documents = 5, .folds = 4, .head = 10, .cost = 1, .smoothing = 1};
static const struct learner_scale scale = {.points = 30, .lift = 30, .floor = -0.8, .few = 0};

static const char *const filler[] = {"我们", "小区",     "附近", "每天",
                                     "希望", "有关部门", "处理", "一下"};
static const struct {
    const char *label;
    const char *words[4];
} topics[] = {{"环境保护", {"噪音", "扰民", "施工", "油烟"}},
              {"交通运输", {"公交", "站台", "线路", "班次"}},
              {"教育文体", {"学校", "老师", "补课", "学费"}}};
enum { TOPICS = 3, DOCUMENTS = 60 };

/* A text: filler, with words of a topic among it. */
static void make_text(struct random *random, size_t topic, const char *space, char out[256])
{
    out[0] = 0;
    for (size_t i = 0; i < 8; i++) {
        const char *word = i % 3 == 1 ? topics[topic].words[random_below(random, 4)]
                                      : filler[random_below(random, 8)];
        strcat(out, word);
        strcat(out, space);
    }
}

static struct learner *fill(size_t documents)
{
    struct random random = {1};
    struct learner *learner = learner_new();
    assert_non_null(learner);
    for (size_t i = 0; i < documents; i++) {
        char text[256];
        struct err err = {0};
        struct span label = span_str(topics[i % TOPICS].label);
        make_text(&random, i % TOPICS, i % 2 == 0 ? "" : " ", text);
        int added = i % 2 == 0
                        ? learner_add_text(learner, label, SPAN("标题"), span_str(text), &err)
                        : learner_add_words(learner, label, span_str(text), &err);
        assert_int_equal(added, 0);
    }
    return learner;
}

static struct learned *parse(const struct buf *pack)
{
    struct err err = {0};
    struct learned *l = learned_parse(buf_view(pack), "pack", &err);
    if (l == NULL)
        fail_msg("%s", err.text);
    return l;
}

/* The weight that the pack gives an n-gram for a label; fails when it has none. */
static int share_of(const struct learned *l, const char *ngram, const char *label)
{
    size_t k = 0;
    while (!span_eq(learned_label(l, k), span_str(label)))
        k++;
    for (uint32_t n = 0; n < learned_ngram_count(l); n++) {
        if (!span_eq(learned_ngram(l, n), span_str(ngram)))
            continue;
        struct learned_sums sums = {0};
        int scores[LEARNED_LABELS_MAX];
        const uint16_t ngrams[] = {(uint16_t)n};
        const struct keywords_found hits[] = {{.from = 0, .length = 1, .value = 0}};
        assert_int_equal(learned_fit(&sums, ngrams, 1), 0);
        learned_add(&sums, 0, 0);
        learned_scores(l, &sums, hits, ngrams, scores);
        int share = learned_share(l, &sums, 0, k);
        learned_sums_free(&sums);
        return share;
    }
    fail_msg("%s is not there", ngram);
    return 0;
}

static void test_learns(void **state)
{
    (void)state;
    struct learner *learner = fill(DOCUMENTS);
    struct learner_result result;
    struct err err = {0};
    struct buf pack = {0};
    assert_int_equal(learner_train(learner, &params, &result, &err), 0);
    assert_true(result.accuracy > 0.99 && result.macro_f1 > 0.99);
    assert_int_equal(result.texts, DOCUMENTS / 2);
    assert_int_equal(result.words, DOCUMENTS / 2);
    learner_write(learner, &scale, SPAN("# a remark\n"), &pack);
    assert_true(buf_ok(&pack));
    assert_true(span_find(buf_view(&pack), SPAN("\n# a remark\n")) >= 0);
    struct learned *l = parse(&pack);
    assert_int_equal(learned_ngram_count(l), result.ngrams);
    assert_true(share_of(l, "公交", "交通运输") > 0);
    assert_true(share_of(l, "公交", "教育文体") < 0);
    assert_true(share_of(l, "噪", "环境保护") > 0);
    learned_free(&l);
    buf_free(&pack);
    learner_free(&learner);
}

static bool has_ngram(const struct learned *l, const char *ngram)
{
    for (size_t n = 0; n < learned_ngram_count(l); n++)
        if (span_eq(learned_ngram(l, n), span_str(ngram)))
            return true;
    return false;
}

/* Filler stands in texts of all labels: its weights are small, however common it is. */
static void test_drops_small_weights(void **state)
{
    (void)state;
    for (int dropped = 0; dropped < 2; dropped++) {
        struct learner *learner = fill(DOCUMENTS);
        struct learner_params large = params;
        struct learner_result result;
        struct buf pack = {0};
        large.min_weight = dropped ? 0.5 : 0;
        assert_int_equal(learner_train(learner, &large, &result, NULL), 0);
        learner_write(learner, &scale, (struct span){0}, &pack);
        assert_true(buf_ok(&pack));
        struct learned *l = parse(&pack);
        assert_int_equal(has_ngram(l, "我们"), !dropped);
        assert_true(has_ngram(l, "公交"));
        learned_free(&l);
        buf_free(&pack);
        learner_free(&learner);
    }
}

static void train_and_write(struct buf *pack)
{
    struct learner *learner = fill(DOCUMENTS);
    struct learner_result result;
    struct learner_params few = params;
    few.max_ngrams = 40; /* so that it prunes too */
    assert_int_equal(learner_train(learner, &few, &result, NULL), 0);
    assert_int_equal(result.ngrams, 40);
    learner_write(learner, &scale, (struct span){0}, pack);
    assert_true(buf_ok(pack));
    learner_free(&learner);
}

static void test_same_bytes(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0};
    train_and_write(&first);
    (void)rand();
    srand(99); /* what others drew before does not matter */
    train_and_write(&second);
    assert_true(span_eq(buf_view(&first), buf_view(&second)));
    buf_free(&first);
    buf_free(&second);
}

/* The out-of-fold value of a document comes from a model that did not see it. */
static void test_views(void **state)
{
    (void)state;
    struct learner *learner = fill(DOCUMENTS);
    struct learner_result result;
    assert_int_equal(learner_train(learner, &params, &result, NULL), 0);
    for (size_t d = 0; d < DOCUMENTS; d++) {
        struct learner_view view = learner_view(learner, d);
        assert_non_null(view.values);
        assert_int_equal(view.label, d % TOPICS);
        assert_true(view.ngrams > 0);
        assert_true(
            span_eq(learner_label(learner, view.label), span_str(topics[d % TOPICS].label)));
    }
    assert_int_equal(learner_label_count(learner), TOPICS);
    learner_free(&learner);
}

static void test_refuses(void **state)
{
    (void)state;
    struct learner_result result;
    struct err err = {0};
    struct learner *learner = learner_new();
    assert_int_equal(learner_train(learner, &params, &result, &err), -1);
    assert_non_null(strstr(err.text, "two at least"));
    assert_int_equal(learner_add_text(learner, SPAN(""), SPAN(""), SPAN("公交"), &err), -1);
    assert_non_null(strstr(err.text, "no label"));
    assert_int_equal(learner_add_words(learner, SPAN("甲"), SPAN("\xFF"), &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    for (int i = 0; i < LEARNED_LABELS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "L%d", i);
        assert_int_equal(learner_add_text(learner, span_str(name), SPAN(""), SPAN("公交"), &err),
                         0);
    }
    assert_int_equal(learner_add_text(learner, SPAN("one more"), SPAN(""), SPAN("公交"), &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(learner_train(learner, &params, &result, &err), -1);
    assert_non_null(strstr(err.text, "fewer documents than the 4 folds"));
    learner_free(&learner);
    learner = fill(TOPICS * 4);
    struct learner_params rare = params;
    rare.min_documents = 1000;
    assert_int_equal(learner_train(learner, &rare, &result, &err), -1);
    assert_non_null(strstr(err.text, "no n-gram stands in 1000 documents"));
    learner_free(&learner);
}

/* What stands in just enough documents stands in too few of those that a fold leaves; and a pack
 * without an n-gram is refused, as it could not be loaded. */
static void test_folds_without_ngrams(void **state)
{
    (void)state;
    int done = -1;
    for (size_t documents = DOCUMENTS; done != 0; documents--) {
        struct learner *learner = fill(DOCUMENTS);
        struct learner_params rare = params;
        struct learner_result result;
        struct err err = {0};
        rare.min_documents = documents;
        rare.min_weight = 0.5;
        done = learner_train(learner, &rare, &result, &err);
        assert_true(done == 0 ? result.ngrams > 0 : err.code == ERR_INVALID);
        learner_free(&learner);
    }
}

static void test_without_memory(void **state)
{
    (void)state;
    int done = -1;
    for (uint64_t n = 1; done != 0; n++) {
        struct learner *learner = fill(TOPICS * 8);
        struct learner_result result;
        struct err err = {0};
        mem_fail_at(n);
        done = learner_train(learner, &params, &result, &err);
        mem_fail_at(0);
        assert_true(done == 0 || err.code == ERR_NOMEM);
        learner_free(&learner);
        assert_true(n < 1000);
    }
    done = -1;
    for (uint64_t n = 1; done != 0; n++) {
        struct learner *learner = learner_new();
        struct err err = {0};
        mem_fail_at(n);
        done = learner_add_words(learner, SPAN("甲"), SPAN("公交 站台"), &err);
        mem_fail_at(0);
        assert_true(done == 0 || err.code == ERR_NOMEM);
        learner_free(&learner);
    }
}

/* --- the corpus --- */

static void add(struct corpus *corpus, const char *text, bool words)
{
    struct err err = {0};
    int added = words ? corpus_add_words(corpus, SPAN("甲"), span_str(text), &err)
                      : corpus_add_text(corpus, SPAN("甲"), SPAN(""), span_str(text), &err);
    assert_int_equal(added, 0);
}

/* True when the corpus has the n-gram. */
static bool has(const struct ngrams *ngrams, const char *wanted)
{
    for (size_t i = 0; i < ngrams->count; i++) {
        char utf8[NGRAM_BYTES_MAX];
        if (span_eq(span_of(utf8, ngrams_utf8(ngrams->keys[i], utf8)), span_str(wanted)))
            return true;
    }
    return false;
}

static void test_ngrams_keep_off(void **state)
{
    (void)state;
    struct corpus corpus = {0};
    struct ngrams ngrams;
    assert_int_equal(corpus_mask(&corpus, SPAN("西地省"), NULL), 0);
    add(&corpus, "A市的KTV很吵，K3县2号线西地省好", false);
    assert_int_equal(ngrams_find(&ngrams, &corpus, 1, 0, 0), 0);
    static const char *const there[] = {"市",   "市的", "ktv", "的ktv", "kt",
                                        "很吵", "县",   "好",  "号线"};
    static const char *const not_there[] = {"a",    "a市", "k",    "v很",  "的k",
                                            "吵，", "吵k", "3",    "k3县", "2号",
                                            "西",   "地",  "线西", "省好", "号线西"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (!has(&ngrams, there[i]))
            fail_msg("%s is missing", there[i]);
    for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
        if (has(&ngrams, not_there[i]))
            fail_msg("%s is there", not_there[i]);
    ngrams_free(&ngrams);
    corpus_free(&corpus);
}

static void test_ngrams_count(void **state)
{
    (void)state;
    struct corpus corpus = {0};
    struct ngrams ngrams;
    add(&corpus, "停水停水停电", true);
    add(&corpus, "天天停水", true);
    assert_int_equal(ngrams_find(&ngrams, &corpus, 2, 0, 3), 0);
    /* 停, 停水 and 水 stand in both; unit 0 is the boundary behind a title that is not there. */
    assert_int_equal(ngrams.count, 3);
    assert_int_equal(ngrams.rows[1] - ngrams.rows[0], 3);
    for (size_t e = 0; e < ngrams.rows[2]; e++) {
        char utf8[NGRAM_BYTES_MAX];
        struct span ngram = span_of(utf8, ngrams_utf8(ngrams.keys[ngrams.entries[e].ngram], utf8));
        bool first = e < ngrams.rows[1];
        uint32_t times = !first ? 1 : span_eq(ngram, SPAN("停")) ? 3 : 2;
        assert_int_equal(ngrams.entries[e].value, learned_value(times, first));
    }
    for (size_t i = 1; i < ngrams.count; i++)
        assert_true(ngrams.keys[i - 1] < ngrams.keys[i]);
    ngrams_free(&ngrams);
    corpus_free(&corpus);
}

static void test_twins(void **state)
{
    (void)state;
    struct corpus corpus = {0};
    double share;
    add(&corpus, "我们小区的物业公司，一直乱收费。", false);
    add(&corpus, "小区 物业公司 一直 乱收费", true); /* its words */
    add(&corpus, "物业公司 小区 一直 乱收费", true); /* not in this order */
    add(&corpus, "小区", true);                      /* too short to tell */
    assert_int_equal(corpus_drop_twins(&corpus, &share), 1);
    assert_true(corpus.documents[1].dropped);
    assert_false(corpus.documents[0].dropped || corpus.documents[2].dropped ||
                 corpus.documents[3].dropped);
    assert_true(share > 0.5 && share < 0.9);
    corpus_free(&corpus);
    assert_int_equal(corpus_drop_twins(&corpus, &share), 0);
    assert_true(share == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),          cmocka_unit_test(test_drops_small_weights),
        cmocka_unit_test(test_same_bytes),      cmocka_unit_test(test_views),
        cmocka_unit_test(test_refuses),         cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_ngrams_keep_off), cmocka_unit_test(test_ngrams_count),
        cmocka_unit_test(test_twins),           cmocka_unit_test(test_folds_without_ngrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
