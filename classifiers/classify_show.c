#include "classifiers/classify_private.h"

#include <string.h>

/* The group in which a match of this target is shown, or EVIDENCE_GROUPS when it is not. */
static enum evidence_group group_of(const struct classify_job *job, uint32_t index)
{
    const struct rules_target *t = &job->rules->targets[index];
    if (t->what == EVIDENCE_TAG)
        return job->scratch->cells[index].set_aside ? EVIDENCE_GROUPS : EVIDENCE_GROUP_TAG;
    if (t->what == EVIDENCE_KIND)
        return t->value == (int)job->verdict->kind ? EVIDENCE_GROUP_KIND : EVIDENCE_GROUPS;
    if (t->what == EVIDENCE_URGENCY) {
        bool shown = job->scratch->cells[index].set_aside ? t->value == URGENCY_RED
                                                          : t->value == (int)job->verdict->urgency;
        return shown ? EVIDENCE_GROUP_URGENCY : EVIDENCE_GROUPS;
    }
    while (job->rules->targets[index].parent != RULES_NONE)
        index = job->rules->targets[index].parent;
    if (index == job->winner)
        return EVIDENCE_GROUP_WINNER;
    return index == job->runner_up ? EVIDENCE_GROUP_RUNNER_UP : EVIDENCE_GROUPS;
}

static struct evidence evidence_of(const struct classify_job *job,
                                   const struct evidence_match *match)
{
    const struct rules_use *use = &job->rules->uses[match->use];
    const struct rules_target *target = &job->rules->targets[use->target];
    return (struct evidence){.what = target->what,
                             .target = target->name,
                             .rule = target->rule,
                             .pattern = job->rules->sources[match->use].pattern,
                             .weight = (double)match->weight / RULES_SCORE_ONE,
                             .place = text_place(&job->scratch->text, match->from, match->to)};
}

/* "file:line" of an n-gram; the names live in the scratch until its next text. */
static struct span place_of(struct classify_job *job, uint32_t ngram, size_t index)
{
    const struct rules *rules = job->rules;
    char *name = job->scratch->places[index];
    char digits[CLASSIFY_LINE_DIGITS];
    size_t length = 0, count = 0;
    for (unsigned line = (unsigned)learned_line(rules->learned, ngram); line != 0; line /= 10)
        digits[count++] = (char)('0' + line % 10);
    length = rules->learned_file.len;
    if (length > CLASSIFY_PLACE_BYTES - CLASSIFY_LINE_DIGITS - 1)
        length = CLASSIFY_PLACE_BYTES - CLASSIFY_LINE_DIGITS - 1;
    memcpy(name, rules->learned_file.ptr, length);
    name[length++] = ':';
    while (count > 0)
        name[length++] = digits[--count];
    return span_of(name, length);
}

static struct evidence ngram_evidence(struct classify_job *job, const struct evidence_match *match,
                                      size_t index)
{
    return (struct evidence){.what = EVIDENCE_CATEGORY,
                             .target = job->rules->targets[job->winner].name,
                             .rule = place_of(job, match->use, index),
                             .pattern = learned_ngram(job->rules->learned, match->use),
                             .weight = (double)match->weight / RULES_SCORE_ONE,
                             .place = text_place(&job->scratch->text, match->from, match->to)};
}

static void offer_matches(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    for (size_t i = 0; i < s->match_count; i++) {
        uint32_t target = job->rules->uses[s->matches[i].use].target;
        enum evidence_group group = group_of(job, target);
        if (s->cells[target].set_aside)
            s->matches[i].weight = 0;
        if (group != EVIDENCE_GROUPS)
            evidence_offer(&s->picker, group, &s->matches[i]);
    }
}

/* Offers the n-grams that speak for the winner. */
static void offer_ngrams(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct learned *learned = job->rules->learned;
    size_t labels = learned == NULL ? 0 : learned_label_count(learned);
    size_t label = 0;
    while (label < labels && job->rules->learned_targets[label] != job->winner)
        label++;
    if (label == labels)
        return;
    int least = 1; /* below it none has a chance */
    for (size_t i = 0; i < s->sums.count; i++) {
        int share = learned_share(learned, &s->sums, i, label);
        if (share < least)
            continue;
        const struct learned_met *n = &s->sums.met[i];
        struct evidence_match match = {
            .use = n->ngram, .weight = share, .from = n->from, .to = n->to};
        evidence_offer(&s->picker, EVIDENCE_GROUP_LEARNED, &match);
        if (s->picker.counts[EVIDENCE_GROUP_LEARNED] == EVIDENCE_LEARNED_MAX)
            least = s->picker.best[EVIDENCE_GROUP_LEARNED][EVIDENCE_LEARNED_MAX - 1].weight;
    }
}

void classify_show(struct classify_job *job)
{
    struct evidence_picker *picker = &job->scratch->picker;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++)
        picker->counts[g] = 0;
    offer_matches(job);
    offer_ngrams(job);
    size_t takes[EVIDENCE_GROUPS];
    evidence_share(picker, takes);
    struct verdict *v = job->verdict;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++)
        for (size_t i = 0; i < takes[g]; i++, v->evidence_count++)
            v->evidence[v->evidence_count] =
                g == EVIDENCE_GROUP_LEARNED
                    ? ngram_evidence(job, &picker->best[g][i], v->evidence_count)
                    : evidence_of(job, &picker->best[g][i]);
}
