/*
 * Show: evidence for what was decided. Most matches speak for categories, and whether for the winner
 * cannot be foretold; so they are sorted out without a branch before they are offered.
 */
#include "classifiers/classify_private.h"

#include <string.h>

/* Matches are sorted out so many at a time: their indexes. */
enum { BLOCK = 64 };

struct sorted {
    uint32_t winner[BLOCK], runner_up[BLOCK], others[BLOCK]; /* others: of no category */
    size_t winners, runners_up, other_count;
};

/* The group in which a match of this target, which is no category, is shown, or EVIDENCE_GROUPS when
 * it is not. */
static enum evidence_group group_of(const struct classify_job *job, uint32_t index)
{
    const struct rules_target *t = &job->rules->targets[index];
    bool set_aside = job->scratch->cells[index].set_aside;
    if (t->what == EVIDENCE_TAG)
        return set_aside ? EVIDENCE_GROUPS : EVIDENCE_GROUP_TAG;
    if (t->what == EVIDENCE_KIND)
        return t->value == (int)job->verdict->kind ? EVIDENCE_GROUP_KIND : EVIDENCE_GROUPS;
    int shown = set_aside ? URGENCY_RED : (int)job->verdict->urgency;
    return t->value == shown ? EVIDENCE_GROUP_URGENCY : EVIDENCE_GROUPS;
}

static void sort_matches(const struct classify_job *job, size_t from, size_t to,
                         struct sorted *sorted)
{
    const struct evidence_match *matches = job->scratch->matches;
    const struct rules_kin *kin = job->rules->kin;
    const uint32_t winner = job->winner, runner_up = job->runner_up;
    size_t winners = 0, runners_up = 0, others = 0;
    for (size_t i = from; i < to; i++) {
        const uint32_t top = kin[matches[i].target].top;
        sorted->winner[winners] = sorted->runner_up[runners_up] = sorted->others[others] =
            (uint32_t)i;
        winners += top == winner;
        runners_up += top == runner_up;
        others += top == RULES_KIN_NONE;
    }
    sorted->winners = winners;
    sorted->runners_up = runners_up;
    sorted->other_count = others;
}

static struct evidence evidence_of(const struct classify_job *job,
                                   const struct evidence_match *match)
{
    const struct rules_target *target = &job->rules->targets[match->target];
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

static void offer_block(struct classify_job *job, size_t from, size_t to)
{
    struct rules_scratch *s = job->scratch;
    struct evidence_match *matches = s->matches;
    struct sorted sorted;
    sort_matches(job, from, to, &sorted);
    for (size_t i = 0; i < sorted.winners; i++) { /* most will be shown */
        __builtin_prefetch(&job->rules->sources[matches[sorted.winner[i]].use]);
        evidence_offer(&s->picker, EVIDENCE_GROUP_WINNER, &matches[sorted.winner[i]]);
    }
    for (size_t i = 0; i < sorted.runners_up; i++)
        evidence_offer(&s->picker, EVIDENCE_GROUP_RUNNER_UP, &matches[sorted.runner_up[i]]);
    for (size_t i = 0; i < sorted.other_count; i++) {
        struct evidence_match *match = &matches[sorted.others[i]];
        const uint32_t target = match->target;
        enum evidence_group group = group_of(job, target);
        if (s->cells[target].set_aside)
            match->weight = 0;
        if (group != EVIDENCE_GROUPS)
            evidence_offer(&s->picker, group, match);
    }
}

static void offer_matches(struct classify_job *job)
{
    const size_t count = job->scratch->match_count;
    for (size_t from = 0; from < count; from += BLOCK)
        offer_block(job, from, from + BLOCK < count ? from + BLOCK : count);
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
    size_t count = learned_strongest(learned, &s->sums, label, EVIDENCE_LEARNED_MAX);
    for (size_t i = 0; i < count; i++) {
        int share = learned_share(learned, &s->sums, s->sums.strongest[i], label);
        const uint32_t m = s->sums.strongest[i];
        const struct keywords_found *hit = &s->hits.items[s->sums.met[m]];
        struct evidence_match match = {
            .use = s->sums.ngrams[m], .weight = share, .from = hit->from, .to = classify_end(hit)};
        if (share > 0)
            evidence_offer(&s->picker, EVIDENCE_GROUP_LEARNED, &match);
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
