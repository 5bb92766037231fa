/*
 * While it is built, a rule set is a list of words: one per keyword or regex, with its folded form.
 * Sorted by that form, equal keywords of different rules stand together, which gives each distinct
 * keyword its value and its run of uses; regexes sort behind all keywords. The same order, within
 * one rule, finds what its author wrote twice.
 */
#include "classifiers/rules_build.h"

#include "classifiers/text.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { STRINGS_ARENA_BYTES = 65536 };

struct word {
    struct span folded;  /* units of a keyword, the text of a regex; in the builder's arena */
    struct regex *regex; /* NULL for a keyword; owned */
    struct rules_use use;
    int line, column;
    size_t sequence;
};

struct rules_builder {
    struct rules *rules;
    struct arena *arena;
    struct word *words;
    size_t word_count, word_capacity;
    size_t rule_start; /* the words of the rule being read start here */
    size_t target_capacity, unless_capacity;
    size_t keyword_count;
    size_t regex_count; /* scored ones and unless */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while compiling the rule set");
}

/* Room for one more item: the array, moved or not; NULL when memory is short. */
static void *grown(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *moved = mem_resize(items, wanted, size);
    if (moved != NULL)
        *capacity = wanted;
    return moved;
}

static struct rules *rules_new(void)
{
    struct rules *rules = mem_zalloc(1, sizeof *rules);
    if (rules == NULL)
        return NULL;
    atomic_init(&rules->refs, 1);
    rules->kind_default = KIND_COMPLAINT;
    rules->arena = arena_new(STRINGS_ARENA_BYTES);
    if (rules->arena == NULL) {
        rules_destroy(rules);
        return NULL;
    }
    return rules;
}

void rules_destroy(struct rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->regex_count; i++)
        regex_free(&rules->regexes[i].regex);
    for (size_t i = 0; i < rules->unless_count; i++)
        regex_free(&rules->unless[i].regex);
    keywords_free(&rules->keywords);
    mem_free(rules->targets);
    mem_free(rules->uses);
    mem_free(rules->regexes);
    mem_free(rules->unless);
    mem_free(rules->value_uses);
    arena_free(&rules->arena);
    mem_free(rules);
}

struct rules_builder *rules_builder_new(struct err *err)
{
    struct rules_builder *builder = mem_zalloc(1, sizeof *builder);
    if (builder == NULL) {
        no_memory(err);
        return NULL;
    }
    builder->rules = rules_new();
    builder->arena = arena_new(STRINGS_ARENA_BYTES);
    if (builder->rules == NULL || builder->arena == NULL) {
        no_memory(err);
        rules_builder_free(&builder);
    }
    return builder;
}

void rules_builder_free(struct rules_builder **builder)
{
    struct rules_builder *b = *builder;
    *builder = NULL;
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->word_count; i++)
        regex_free(&b->words[i].regex);
    mem_free(b->words);
    arena_free(&b->arena);
    rules_destroy(b->rules);
    mem_free(b);
}

struct rules *rules_builder_rules(struct rules_builder *builder)
{
    return builder->rules;
}

struct span rules_builder_string(struct rules_builder *builder, struct span s, struct err *err)
{
    struct span copy = arena_copy(builder->rules->arena, s);
    if (copy.ptr == NULL)
        no_memory(err);
    return copy;
}

uint32_t rules_builder_target(struct rules_builder *builder, const struct rules_target *target,
                              struct err *err)
{
    struct rules *rules = builder->rules;
    if (rules->target_count == LIMIT_RULE_TARGETS) {
        err_set(err, ERR_LIMIT, "more than %d rules; merge some", LIMIT_RULE_TARGETS);
        return RULES_NONE;
    }
    struct rules_target *targets =
        grown(rules->targets, &builder->target_capacity, rules->target_count, sizeof *targets);
    if (targets == NULL) {
        no_memory(err);
        return RULES_NONE;
    }
    rules->targets = targets;
    targets[rules->target_count] = *target;
    targets[rules->target_count].unless_at = rules->unless_count;
    targets[rules->target_count].unless_end = rules->unless_count;
    rules->category_count += target->what == EVIDENCE_CATEGORY;
    return (uint32_t)rules->target_count++;
}

/* Appends a word whose folded form and regex are given; takes the regex over in any case. */
static int add_word(struct rules_builder *builder, struct word word, uint32_t target,
                    const struct rules_pattern *pattern, struct err *err)
{
    struct word *words =
        grown(builder->words, &builder->word_capacity, builder->word_count, sizeof *words);
    if (words != NULL)
        builder->words = words;
    word.folded = arena_copy(builder->arena, word.folded);
    struct span text = rules_builder_string(builder, pattern->text, err);
    if (words == NULL || word.folded.ptr == NULL || text.ptr == NULL) {
        regex_free(&word.regex);
        return no_memory(err);
    }
    CHECK(target < builder->rules->target_count);
    word.use = (struct rules_use){target, pattern->weight, pattern->title_only, text};
    word.line = pattern->line;
    word.column = pattern->column;
    word.sequence = builder->word_count;
    words[builder->word_count++] = word;
    return 0;
}

int rules_builder_keyword(struct rules_builder *builder, uint32_t target,
                          const struct rules_pattern *pattern, struct err *err)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct err why = {0};
    ptrdiff_t count = text_fold(pattern->text, units, LIMIT_KEYWORD_UNITS, &why);
    if (count < 0 && why.code == ERR_LIMIT)
        return err_set(err, ERR_LIMIT,
                       "the keyword is longer than %d characters; use its telling part",
                       LIMIT_KEYWORD_UNITS);
    if (count < 0)
        return err_set(err, why.code, "%s", why.text);
    if (count == 0)
        return err_set(
            err, ERR_INVALID,
            "the keyword is empty once normalised; write at least one visible character");
    if (builder->keyword_count++ == LIMIT_KEYWORDS)
        return err_set(err, ERR_LIMIT, "more than %d keywords; remove some", LIMIT_KEYWORDS);
    struct span folded = span_of((const char *)units, (size_t)count * sizeof *units);
    return add_word(builder, (struct word){.folded = folded}, target, pattern, err);
}

static struct regex *compile(struct rules_builder *builder, struct span pattern, struct err *err)
{
    if (builder->regex_count == LIMIT_REGEXES) {
        err_set(err, ERR_LIMIT, "more than %d regexes; remove some", LIMIT_REGEXES);
        return NULL;
    }
    struct err why = {0};
    struct regex *regex = regex_compile(pattern, &why);
    if (regex != NULL)
        builder->regex_count++;
    else if (why.code == ERR_NOMEM)
        no_memory(err);
    else
        err_set(err, why.code, "the regex cannot be used: %s; correct it", why.text);
    return regex;
}

int rules_builder_regex(struct rules_builder *builder, uint32_t target,
                        const struct rules_pattern *pattern, struct err *err)
{
    struct regex *regex = compile(builder, pattern->text, err);
    if (regex == NULL)
        return -1;
    return add_word(builder, (struct word){.folded = pattern->text, .regex = regex}, target,
                    pattern, err);
}

int rules_builder_unless(struct rules_builder *builder, struct span pattern, struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_regex *unless =
        grown(rules->unless, &builder->unless_capacity, rules->unless_count, sizeof *unless);
    if (unless == NULL)
        return no_memory(err);
    rules->unless = unless;
    struct regex *regex = compile(builder, pattern, err);
    if (regex == NULL)
        return -1;
    unless[rules->unless_count++] = (struct rules_regex){regex, RULES_NONE};
    rules->targets[rules->target_count - 1].unless_end = rules->unless_count;
    return 0;
}

/* Keywords first, then by folded form. */
static int compare_form(const struct word *a, const struct word *b)
{
    if ((a->regex == NULL) != (b->regex == NULL))
        return a->regex == NULL ? -1 : 1;
    return span_cmp(a->folded, b->folded);
}

/* By form; then what counts anywhere before what counts in titles; then as written. */
static int compare_word(const void *left, const void *right)
{
    const struct word *a = left, *b = right;
    int form = compare_form(a, b);
    if (form != 0)
        return form;
    if (a->use.title_only != b->use.title_only)
        return a->use.title_only ? 1 : -1;
    return a->sequence < b->sequence ? -1 : 1;
}

int rules_builder_end_rule(struct rules_builder *builder, int *line, int *column, struct err *err)
{
    size_t start = builder->rule_start, count = builder->word_count - start;
    builder->rule_start = builder->word_count;
    if (count < 2)
        return 0;
    struct word *words = builder->words + start;
    qsort(words, count, sizeof *words, compare_word);
    for (size_t i = 1; i < count; i++) {
        const struct word *a = &words[i - 1], *b = &words[i];
        if (compare_form(a, b) != 0 || a->use.title_only != b->use.title_only)
            continue;
        *line = b->line;
        *column = b->column;
        return err_set(err, ERR_INVALID,
                       "“%.*s” stands twice in this rule, also at %d:%d as “%.*s”; remove one",
                       SPAN_ARG(b->use.pattern), a->line, a->column, SPAN_ARG(a->use.pattern));
    }
    return 0;
}

/* Gives every distinct keyword its value; words are sorted, and the first `count` are keywords. */
static int freeze_keywords(struct rules_builder *builder, size_t count, struct err *err)
{
    struct rules *rules = builder->rules;
    struct keywords_builder *matcher = keywords_builder_new();
    if (matcher == NULL)
        return no_memory(err);
    int done = 0;
    for (size_t i = 0; i < count && done == 0; i++) {
        const struct word *word = &builder->words[i];
        if (i != 0 && span_eq(word->folded, word[-1].folded))
            continue;
        uint32_t value = (uint32_t)rules->value_count++;
        rules->value_uses[value] = (uint32_t)i;
        done = keywords_add(matcher, (const uint16_t *)(const void *)word->folded.ptr,
                            word->folded.len / sizeof(uint16_t), value, err);
    }
    rules->value_uses[rules->value_count] = (uint32_t)count;
    if (done == 0)
        rules->keywords = keywords_build(matcher, err);
    keywords_builder_free(&matcher);
    return rules->keywords == NULL ? -1 : 0;
}

struct rules *rules_builder_freeze(struct rules_builder *builder, struct err *err)
{
    struct rules *rules = builder->rules;
    size_t count = builder->word_count;
    size_t regexes = builder->regex_count - rules->unless_count;
    if (count > 1)
        qsort(builder->words, count, sizeof *builder->words, compare_word);
    rules->uses = mem_alloc((count + 1) * sizeof *rules->uses);
    rules->regexes = mem_alloc((regexes + 1) * sizeof *rules->regexes);
    rules->value_uses = mem_zalloc(count - regexes + 1, sizeof *rules->value_uses);
    if (rules->uses == NULL || rules->regexes == NULL || rules->value_uses == NULL) {
        no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        rules->uses[rules->use_count++] = builder->words[i].use;
        if (builder->words[i].regex != NULL)
            rules->regexes[rules->regex_count++] =
                (struct rules_regex){builder->words[i].regex, (uint32_t)i};
        builder->words[i].regex = NULL;
    }
    if (freeze_keywords(builder, count - regexes, err) != 0)
        return NULL;
    builder->rules = NULL;
    return rules;
}
