/*
 * While it is built, a rule set is a list of words: one per keyword or regex, with its folded form.
 * Sorted by that form, equal keywords of different rules stand together, which gives each distinct
 * keyword its value and its run of uses; regexes sort behind all keywords. The same order, within
 * one rule, finds what its author wrote twice.
 *
 * A regex's literals are terms, one per literal and set, kept apart from the words because no
 * author wrote them. Sorted in the same way, they are merged with the keywords when values are
 * given: a value stands for a keyword, for a term or for both.
 */
#include "classifiers/rules_build.h"

#include "classifiers/literals.h"
#include "classifiers/regex_fold.h"
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
    uint32_t gate;       /* of a regex */
    struct rules_use use;
    int line, column;
    size_t sequence;
};

struct term {
    struct span folded; /* units, in the builder's arena */
    struct rules_trigger trigger;
};

struct rules_builder {
    struct rules *rules;
    struct arena *arena;
    struct arena *scratch; /* of one pattern */
    struct word *words;
    size_t word_count, word_capacity;
    size_t rule_start;  /* the words of the rule being read start here */
    struct term *terms; /* by gate, until they are sorted */
    size_t term_count, term_capacity;
    size_t target_capacity, unless_capacity, gate_capacity;
    size_t keyword_count;
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
    mem_free(rules->gates);
    mem_free(rules->triggers);
    mem_free(rules->values);
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
    builder->scratch = arena_new(STRINGS_ARENA_BYTES);
    if (builder->rules == NULL || builder->arena == NULL || builder->scratch == NULL) {
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
    mem_free(b->terms);
    arena_free(&b->arena);
    arena_free(&b->scratch);
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

/* Adds the literals of one set of a regex. */
static int add_terms(struct rules_builder *builder, const struct literal_set *set,
                     struct rules_trigger trigger)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct literal *literal = &set->list[i];
        struct span units =
            span_of((const char *)literal->units, literal->count * sizeof literal->units[0]);
        struct term *terms =
            grown(builder->terms, &builder->term_capacity, builder->term_count, sizeof *terms);
        if (terms != NULL)
            builder->terms = terms;
        units = arena_copy(builder->arena, units);
        if (terms == NULL || units.ptr == NULL)
            return -1;
        terms[builder->term_count++] = (struct term){units, trigger};
    }
    return 0;
}

/* Finds the literals of a pattern that compiles and fills the gate. */
static int fill_gate(struct rules_builder *builder, struct span pattern, uint32_t index)
{
    struct rules_gate *gate = &builder->rules->gates[index];
    struct regex_folded folded = {.units = NULL};
    struct literals literals = {.count = 0};
    int done = regex_fold(pattern, &folded, NULL);
    if (done == 0)
        done = literals_of(folded.units, folded.count, builder->scratch, &literals);
    regex_folded_free(&folded);
    for (size_t i = 0; i < literals.count && done == 0; i++) {
        uint32_t set = UINT32_C(1) << i;
        gate->sets |= set;
        done = add_terms(builder, &literals.sets[i], (struct rules_trigger){index, set});
    }
    arena_reset(builder->scratch);
    return done;
}

/* Makes the gate of a regex: its index, or RULES_NONE and *err. */
static uint32_t add_gate(struct rules_builder *builder, struct span pattern, struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_gate *gates =
        grown(rules->gates, &builder->gate_capacity, rules->gate_count, sizeof *gates);
    if (gates != NULL) {
        rules->gates = gates;
        uint32_t index = (uint32_t)rules->gate_count++;
        gates[index] = (struct rules_gate){.regex = RULES_NONE};
        if (fill_gate(builder, pattern, index) == 0)
            return index;
    }
    no_memory(err);
    return RULES_NONE;
}

/* Compiles a regex and makes its gate. */
static struct regex *compile(struct rules_builder *builder, struct span pattern, uint32_t *gate,
                             struct err *err)
{
    if (builder->rules->gate_count == LIMIT_REGEXES) {
        err_set(err, ERR_LIMIT, "more than %d regexes; remove some", LIMIT_REGEXES);
        return NULL;
    }
    struct err why = {0};
    struct regex *regex = regex_compile(pattern, &why);
    if (regex == NULL && why.code == ERR_NOMEM)
        no_memory(err);
    else if (regex == NULL)
        err_set(err, why.code, "the regex cannot be used: %s; correct it", why.text);
    else if ((*gate = add_gate(builder, pattern, err)) == RULES_NONE)
        regex_free(&regex);
    return regex;
}

int rules_builder_regex(struct rules_builder *builder, uint32_t target,
                        const struct rules_pattern *pattern, struct err *err)
{
    struct word word = {.folded = pattern->text};
    word.regex = compile(builder, pattern->text, &word.gate, err);
    return word.regex == NULL ? -1 : add_word(builder, word, target, pattern, err);
}

int rules_builder_unless(struct rules_builder *builder, struct span pattern, struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_regex *unless =
        grown(rules->unless, &builder->unless_capacity, rules->unless_count, sizeof *unless);
    if (unless == NULL)
        return no_memory(err);
    rules->unless = unless;
    uint32_t gate;
    struct regex *regex = compile(builder, pattern, &gate, err);
    if (regex == NULL)
        return -1;
    unless[rules->unless_count++] = (struct rules_regex){regex, RULES_NONE, gate};
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

static int compare_term(const void *left, const void *right)
{
    const struct term *a = left, *b = right;
    return span_cmp(a->folded, b->folded);
}

/* The matcher holds LIMIT_KEYWORDS; the keywords come first, and regexes whose literals find no
 * room run on every text. */
static void drop_excess_terms(struct rules_builder *builder)
{
    size_t room = LIMIT_KEYWORDS - builder->keyword_count;
    while (builder->term_count > room) {
        uint32_t gate = builder->terms[builder->term_count - 1].trigger.gate;
        builder->rules->gates[gate].sets = 0;
        while (builder->term_count > 0 &&
               builder->terms[builder->term_count - 1].trigger.gate == gate)
            builder->term_count--;
    }
}

/* Gives every distinct keyword or term its value and its runs; words and terms are sorted, and the
 * first `words` are keywords. */
static int add_values(struct rules_builder *builder, size_t words, struct keywords_builder *matcher,
                      struct err *err)
{
    struct rules *rules = builder->rules;
    size_t w = 0, t = 0;
    while (w < words || t < builder->term_count) {
        struct span folded;
        if (w == words || (t < builder->term_count &&
                           span_cmp(builder->terms[t].folded, builder->words[w].folded) < 0))
            folded = builder->terms[t].folded;
        else
            folded = builder->words[w].folded;
        uint32_t value = (uint32_t)rules->value_count++;
        rules->values[value] = (struct rules_value){(uint32_t)w, (uint32_t)t};
        if (keywords_add(matcher, (const uint16_t *)(const void *)folded.ptr,
                         folded.len / sizeof(uint16_t), value, err) != 0)
            return -1;
        rules->keyword_count += w < words && span_eq(builder->words[w].folded, folded);
        while (w < words && span_eq(builder->words[w].folded, folded))
            w++;
        for (; t < builder->term_count && span_eq(builder->terms[t].folded, folded); t++)
            rules->triggers[t] = builder->terms[t].trigger;
    }
    rules->values[rules->value_count] = (struct rules_value){(uint32_t)w, (uint32_t)t};
    return 0;
}

static int freeze_keywords(struct rules_builder *builder, size_t words, struct err *err)
{
    struct keywords_builder *matcher = keywords_builder_new();
    if (matcher == NULL)
        return no_memory(err);
    if (add_values(builder, words, matcher, err) == 0)
        builder->rules->keywords = keywords_build(matcher, err);
    keywords_builder_free(&matcher);
    return builder->rules->keywords == NULL ? -1 : 0;
}

/* Takes over the regexes with a filter, or those without. */
static void freeze_regexes(struct rules_builder *builder, bool filtered)
{
    struct rules *rules = builder->rules;
    for (size_t i = 0; i < builder->word_count; i++) {
        struct word *word = &builder->words[i];
        if (word->regex == NULL || (rules->gates[word->gate].sets != 0) != filtered)
            continue;
        rules->gates[word->gate].regex = (uint32_t)rules->regex_count;
        rules->regexes[rules->regex_count++] =
            (struct rules_regex){word->regex, (uint32_t)i, word->gate};
        word->regex = NULL;
    }
}

struct rules *rules_builder_freeze(struct rules_builder *builder, struct err *err)
{
    struct rules *rules = builder->rules;
    size_t count = builder->word_count;
    size_t regexes = rules->gate_count - rules->unless_count;
    drop_excess_terms(builder);
    if (count > 1)
        qsort(builder->words, count, sizeof *builder->words, compare_word);
    if (builder->term_count > 1)
        qsort(builder->terms, builder->term_count, sizeof *builder->terms, compare_term);
    rules->uses = mem_alloc((count + 1) * sizeof *rules->uses);
    rules->regexes = mem_alloc((regexes + 1) * sizeof *rules->regexes);
    rules->triggers = mem_alloc((builder->term_count + 1) * sizeof *rules->triggers);
    rules->values = mem_alloc((count - regexes + builder->term_count + 1) * sizeof *rules->values);
    if (rules->uses == NULL || rules->regexes == NULL || rules->triggers == NULL ||
        rules->values == NULL) {
        no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        rules->uses[rules->use_count++] = builder->words[i].use;
    freeze_regexes(builder, false);
    rules->unfiltered_count = rules->regex_count;
    freeze_regexes(builder, true);
    if (freeze_keywords(builder, count - regexes, err) != 0)
        return NULL;
    builder->rules = NULL;
    return rules;
}
