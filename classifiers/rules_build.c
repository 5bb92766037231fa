/*
 * While it is built, a rule set is a list of words: one per keyword or regex, with its folded form.
 * Sorted by that form, equal keywords stand together, which within one rule finds what its author
 * wrote twice.
 *
 * All that no author wrote as a word of a rule but the matcher must look for (the literals of
 * regexes, n-grams) are marks. When the set is frozen (rules_freeze.c) the keywords become marks
 * too.
 */
#include "classifiers/rules_build_private.h"

#include "classifiers/literal_set.h"
#include "classifiers/literals.h"
#include "classifiers/regex_fold.h"
#include "classifiers/text.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { STRINGS_ARENA_BYTES = 65536 };

int rules_builder_no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while compiling the rule set");
}

void *rules_builder_grown(void *items, size_t *capacity, size_t count, size_t size)
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
    for (size_t i = 0; i < rules->asked_count; i++)
        regex_free(&rules->asked[i].regex);
    keywords_free(&rules->keywords);
    learned_free(&rules->learned);
    mem_free(rules->targets);
    mem_free(rules->kin);
    mem_free(rules->uses);
    mem_free(rules->sources);
    mem_free(rules->regexes);
    mem_free(rules->asked);
    mem_free(rules->conditions);
    mem_free(rules->parts);
    mem_free(rules->items);
    mem_free(rules->wakes);
    mem_free(rules->always);
    mem_free(rules->unless_conditions);
    mem_free(rules->gates);
    mem_free(rules->hints);
    mem_free(rules->tallies);
    mem_free(rules->counters);
    mem_free(rules->triggers);
    mem_free(rules->values);
    mem_free(rules->ngrams);
    mem_free(rules->negations);
    arena_free(&rules->arena);
    mem_free(rules);
}

struct rules_builder *rules_builder_new(unsigned parts, struct err *err)
{
    struct rules_builder *builder = mem_zalloc(1, sizeof *builder);
    if (builder == NULL) {
        rules_builder_no_memory(err);
        return NULL;
    }
    builder->parts = parts;
    builder->rules = rules_new();
    builder->arena = arena_new(STRINGS_ARENA_BYTES);
    builder->scratch = arena_new(STRINGS_ARENA_BYTES);
    if (builder->rules == NULL || builder->arena == NULL || builder->scratch == NULL) {
        rules_builder_no_memory(err);
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
    mem_free(b->marks);
    mem_free(b->best_sets);
    mem_free(b->needs);
    mem_free(b->item_words);
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
        rules_builder_no_memory(err);
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
    struct rules_target *targets = rules_builder_grown(rules->targets, &builder->target_capacity,
                                                       rules->target_count, sizeof *targets);
    if (targets == NULL) {
        rules_builder_no_memory(err);
        return RULES_NONE;
    }
    rules->targets = targets;
    targets[rules->target_count] = *target;
    struct rules_target *added = &targets[rules->target_count];
    added->unless_at = added->unless_end = rules->asked_count;
    added->unless_condition_at = added->unless_condition_end = rules->unless_condition_count;
    added->label = -1;
    rules->category_count += target->what == EVIDENCE_CATEGORY;
    return (uint32_t)rules->target_count++;
}

int rules_builder_word(struct rules_builder *builder, struct rules_word word, uint32_t target,
                       const struct rules_pattern *pattern, struct err *err)
{
    struct rules_word *words = rules_builder_grown(builder->words, &builder->word_capacity,
                                                   builder->word_count, sizeof *words);
    if (words != NULL)
        builder->words = words;
    word.folded = arena_copy(builder->arena, word.folded);
    struct span text = rules_builder_string(builder, pattern->text, err);
    if (words == NULL || word.folded.ptr == NULL || text.ptr == NULL) {
        regex_free(&word.regex);
        return rules_builder_no_memory(err);
    }
    CHECK(target < builder->rules->target_count);
    word.use = (struct rules_use){.target = target,
                                  .weight = pattern->weight,
                                  .scope = (uint8_t)pattern->scope,
                                  .negatable = pattern->negatable};
    word.source = (struct rules_source){pattern->line, pattern->column, text};
    word.sequence = builder->word_count;
    words[builder->word_count++] = word;
    return 0;
}

static struct span units_span(const uint16_t *units, size_t count)
{
    return span_of((const char *)units, count * sizeof *units);
}

int rules_builder_fold(struct span text, uint16_t units[LIMIT_KEYWORD_UNITS], struct span *out,
                       struct err *err)
{
    struct err why = {0};
    ptrdiff_t count = text_fold(text, units, LIMIT_KEYWORD_UNITS, &why);
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
    *out = units_span(units, (size_t)count);
    return 0;
}

int rules_builder_keyword(struct rules_builder *builder, uint32_t target,
                          const struct rules_pattern *pattern, struct err *err)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct rules_word word = {.what = RULES_WORD_KEYWORD};
    if (rules_builder_fold(pattern->text, units, &word.folded, err) != 0)
        return -1;
    if (builder->keyword_count++ == LIMIT_KEYWORDS)
        return err_set(err, ERR_LIMIT, "more than %d keywords; remove some", LIMIT_KEYWORDS);
    return rules_builder_word(builder, word, target, pattern, err);
}

int rules_builder_mark(struct rules_builder *builder, struct rules_mark mark)
{
    struct rules_mark *marks = rules_builder_grown(builder->marks, &builder->mark_capacity,
                                                   builder->mark_count, sizeof *marks);
    if (marks != NULL)
        builder->marks = marks;
    mark.folded = arena_copy(builder->arena, mark.folded);
    if (marks == NULL || mark.folded.ptr == NULL)
        return -1;
    marks[builder->mark_count++] = mark;
    return 0;
}

/* Adds the literals of one set of a regex. */
static int add_triggers(struct rules_builder *builder, const struct literal_set *set, uint32_t gate,
                        uint32_t bit)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct literal *literal = &set->list[i];
        struct rules_mark mark = {.folded = units_span(literal->units, literal->count),
                                  .what = RULES_MARK_TRIGGER,
                                  .index = gate,
                                  .set = bit};
        if (rules_builder_mark(builder, mark) != 0)
            return -1;
    }
    return 0;
}

/* True when there were sets with words of one unit. */
static bool drop_single_units(struct literals *literals)
{
    size_t kept = 0, count = literals->count;
    for (size_t i = 0; i < count; i++)
        if (literal_set_shortest(&literals->sets[i]) > 1)
            literals->sets[kept++] = literals->sets[i];
    literals->count = kept;
    literals->others = 0;
    return kept < count;
}

/* Finds the literals of a pattern that compiles and fills the gate. One that is asked for seldom (only
 * when a rule matched) is not worth a look at each text for single characters. */
static int fill_gate(struct rules_builder *builder, struct span pattern, bool seldom,
                     uint32_t index)
{
    struct rules_gate *gate = &builder->rules->gates[index];
    struct rules_best_set *best = &builder->best_sets[index];
    struct regex_folded folded = {.units = NULL};
    struct rules_hints *hints = &builder->rules->hints[index];
    struct literals literals = {.count = 0};
    int done = regex_fold(pattern, &folded, NULL);
    if (done == 0)
        done = literals_of(folded.units, folded.count, builder->scratch, &literals);
    regex_folded_free(&folded);
    best->at = best->end = builder->mark_count;
    gate->longest = (uint32_t)literals.longest;
    gate->at_end = literals.at_end;
    if (seldom)
        gate->spared = drop_single_units(&literals);
    for (size_t i = 0; i < literals.count + literals.others; i++)
        hint_make(&hints->list[hints->count++], &literals.sets[i]);
    for (size_t i = 0; i < literals.count && done == 0; i++) {
        uint32_t set = UINT32_C(1) << i;
        gate->sets |= set;
        gate->leads[i] = (uint32_t)literals.sets[i].lead;
        done = add_triggers(builder, &literals.sets[i], index, set);
        if (i == 0)
            best->end = builder->mark_count;
    }
    arena_reset(builder->scratch);
    return done;
}

/* Makes the gate of a regex: its index, or RULES_NONE and *err. */
static uint32_t add_gate(struct rules_builder *builder, struct span pattern, bool seldom,
                         struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_gate *gates = rules_builder_grown(rules->gates, &builder->gate_capacity,
                                                   rules->gate_count, sizeof *gates);
    if (gates != NULL)
        rules->gates = gates;
    struct rules_hints *hints = rules_builder_grown(rules->hints, &builder->hint_capacity,
                                                    rules->gate_count, sizeof *hints);
    if (hints != NULL)
        rules->hints = hints;
    struct rules_best_set *best = rules_builder_grown(builder->best_sets, &builder->best_capacity,
                                                      rules->gate_count, sizeof *best);
    if (best != NULL)
        builder->best_sets = best;
    if (gates != NULL && hints != NULL && best != NULL) {
        uint32_t index = (uint32_t)rules->gate_count++;
        gates[index] = (struct rules_gate){.regex = RULES_NONE};
        hints[index].count = 0;
        if (fill_gate(builder, pattern, seldom, index) == 0)
            return index;
    }
    rules_builder_no_memory(err);
    return RULES_NONE;
}

/* Compiles a regex and makes its gate. */
static struct regex *compile(struct rules_builder *builder, struct span pattern, bool seldom,
                             uint32_t *gate, struct err *err)
{
    if (builder->rules->gate_count == LIMIT_REGEXES) {
        err_set(err, ERR_LIMIT, "more than %d regexes; remove some", LIMIT_REGEXES);
        return NULL;
    }
    struct err why = {0};
    struct regex *regex = regex_compile(pattern, &why);
    if (regex == NULL && why.code == ERR_NOMEM)
        rules_builder_no_memory(err);
    else if (regex == NULL)
        err_set(err, why.code, "the regex cannot be used: %s; correct it", why.text);
    else if ((*gate = add_gate(builder, pattern, seldom, err)) == RULES_NONE)
        regex_free(&regex);
    return regex;
}

int rules_builder_regex(struct rules_builder *builder, uint32_t target,
                        const struct rules_pattern *pattern, struct err *err)
{
    struct rules_word word = {
        .what = RULES_WORD_REGEX, .folded = pattern->text, .place = pattern->place};
    word.regex = compile(builder, pattern->text, false, &word.gate, err);
    return word.regex == NULL ? -1 : rules_builder_word(builder, word, target, pattern, err);
}

uint32_t rules_builder_asked(struct rules_builder *builder, struct span pattern, uint32_t target,
                             struct span place, struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_regex *asked = rules_builder_grown(rules->asked, &builder->asked_capacity,
                                                    rules->asked_count, sizeof *asked);
    if (asked == NULL) {
        rules_builder_no_memory(err);
        return RULES_NONE;
    }
    rules->asked = asked;
    uint32_t gate;
    struct regex *regex = compile(builder, pattern, target != RULES_NONE, &gate, err);
    if (regex == NULL)
        return RULES_NONE;
    asked[rules->asked_count] = (struct rules_regex){regex, RULES_NONE, gate, target, place};
    return (uint32_t)rules->asked_count++;
}

int rules_builder_unless(struct rules_builder *builder, struct span pattern, struct span place,
                         struct err *err)
{
    struct rules *rules = builder->rules;
    uint32_t target = (uint32_t)rules->target_count - 1;
    if (rules_builder_asked(builder, pattern, target, place, err) == RULES_NONE)
        return -1;
    rules->targets[target].unless_end = rules->asked_count;
    return 0;
}

int rules_builder_unless_condition(struct rules_builder *builder, uint32_t condition,
                                   struct err *err)
{
    struct rules *rules = builder->rules;
    uint32_t *list = rules_builder_grown(rules->unless_conditions, &builder->unless_capacity,
                                         rules->unless_condition_count, sizeof *list);
    if (list == NULL)
        return rules_builder_no_memory(err);
    rules->unless_conditions = list;
    list[rules->unless_condition_count++] = condition;
    rules->targets[rules->target_count - 1].unless_condition_end = rules->unless_condition_count;
    return 0;
}

int rules_builder_negation(struct rules_builder *builder, struct span text, uint32_t mask,
                           struct err *err)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct rules_mark mark = {.what = RULES_MARK_NEGATION, .index = mask};
    if (rules_builder_fold(text, units, &mark.folded, err) != 0)
        return -1;
    return rules_builder_mark(builder, mark) == 0 ? 0 : rules_builder_no_memory(err);
}

int rules_form_compare(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return span_cmp(a, b);
}

/* Keywords, regexes, conditions; each by folded form. */
static int compare_form(const struct rules_word *a, const struct rules_word *b)
{
    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    return rules_form_compare(a->folded, b->folded);
}

int rules_word_compare(const void *left, const void *right)
{
    const struct rules_word *a = left, *b = right;
    int form = compare_form(a, b);
    if (form != 0)
        return form;
    if (a->use.scope != b->use.scope)
        return a->use.scope < b->use.scope ? -1 : 1;
    return a->sequence < b->sequence ? -1 : 1;
}

int rules_builder_end_rule(struct rules_builder *builder, int *line, int *column, struct err *err)
{
    size_t start = builder->rule_start, count = builder->word_count - start;
    builder->rule_start = builder->word_count;
    if (count < 2)
        return 0;
    struct rules_word *words = builder->words + start;
    qsort(words, count, sizeof *words, rules_word_compare);
    for (size_t i = 1; i < count; i++) {
        const struct rules_word *a = &words[i - 1], *b = &words[i];
        if (compare_form(a, b) != 0 || a->use.scope != b->use.scope)
            continue;
        *line = b->source.line;
        *column = b->source.column;
        return err_set(err, ERR_INVALID,
                       "“%.*s” stands twice in this rule, also at %d:%d as “%.*s”; remove one",
                       SPAN_ARG(b->source.pattern), a->source.line, a->source.column,
                       SPAN_ARG(a->source.pattern));
    }
    return 0;
}

/* Finds each label's first-level category. */
static int aim_labels(struct rules *rules, const struct learned *learned, struct err *err)
{
    for (size_t label = 0; label < learned_label_count(learned); label++) {
        struct span name = learned_label(learned, label);
        uint32_t found = RULES_NONE;
        for (uint32_t t = 0; t < rules->target_count && found == RULES_NONE; t++)
            if (rules->targets[t].what == EVIDENCE_CATEGORY &&
                rules->targets[t].parent == RULES_NONE && span_eq(rules->targets[t].name, name))
                found = t;
        if (found == RULES_NONE)
            return err_set(
                err, ERR_INVALID,
                "“%.*s” is not a category of categories/; learn the weights anew, or add "
                "the category",
                SPAN_ARG(name));
        rules->learned_targets[label] = found;
        rules->targets[found].label = (int)label;
    }
    return 0;
}

static int add_ngram(struct rules_builder *builder, size_t ngram, struct err *err)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct rules_mark mark = {.what = RULES_MARK_NGRAM, .index = (uint32_t)ngram};
    struct span text = learned_ngram(builder->rules->learned, ngram);
    if (rules_builder_fold(text, units, &mark.folded, err) != 0)
        return -1;
    if (builder->mark_count >= LIMIT_KEYWORDS)
        return err_set(err, ERR_LIMIT, "more than %d n-grams; learn fewer", LIMIT_KEYWORDS);
    return rules_builder_mark(builder, mark) == 0 ? 0 : rules_builder_no_memory(err);
}

int rules_builder_learned(struct rules_builder *builder, struct learned *learned, struct span file,
                          int *line, struct err *err)
{
    struct rules *rules = builder->rules;
    *line = 1;
    CHECK(rules->learned == NULL);
    if ((builder->parts & RULES_LEARNED) == 0) {
        int done = aim_labels(rules, learned, err);
        learned_free(&learned);
        return done;
    }
    rules->learned = learned;
    rules->learned_file = file;
    if (aim_labels(rules, learned, err) != 0)
        return -1;
    for (size_t i = 0; i < learned_ngram_count(learned); i++) {
        *line = learned_line(learned, i);
        if (add_ngram(builder, i, err) != 0)
            return -1;
    }
    return 0;
}
