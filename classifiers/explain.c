#include "classifiers/explain.h"

#include "classifiers/classify_private.h"

static double points(int score)
{
    return (double)score / RULES_SCORE_ONE;
}

/* The next first-level category behind `last` in order of rank, or RULES_NONE. There are few, so
 * each is looked for anew. */
static uint32_t next_ranked(const struct rules *rules, const struct rules_scratch *scratch,
                            uint32_t last)
{
    uint32_t best = RULES_NONE;
    for (uint32_t t = 0; t < rules->target_count; t++) {
        const struct rules_target *target = &rules->targets[t];
        if (target->what != EVIDENCE_CATEGORY || target->parent != RULES_NONE ||
            !scratch->cells[t].touched)
            continue;
        int score = scratch->cells[t].score;
        if (last != RULES_NONE && (score > scratch->cells[last].score ||
                                   (score == scratch->cells[last].score && t <= last)))
            continue;
        if (best == RULES_NONE || score > scratch->cells[best].score)
            best = t;
    }
    return best;
}

void explain_scores(const struct rules *rules, const struct rules_scratch *scratch,
                    void (*on_score)(void *ctx, const struct explain_score *score), void *ctx)
{
    uint32_t t = RULES_NONE;
    while ((t = next_ranked(rules, scratch, t)) != RULES_NONE) {
        const struct rules_target *target = &rules->targets[t];
        int score = scratch->cells[t].score;
        int learned =
            target->label < 0 || scratch->sums.count == 0 ? 0 : scratch->learned[target->label];
        struct explain_score out = {target->name, points(score), points(score - learned),
                                    points(learned)};
        if (score != 0 || learned != 0)
            on_score(ctx, &out);
    }
}

static void explain_ngrams(const struct rules *rules, const struct rules_scratch *scratch,
                           struct span winner,
                           void (*on_match)(void *ctx, const struct explain_match *match),
                           void *ctx)
{
    int label = -1;
    for (uint32_t t = 0; t < rules->target_count; t++)
        if (rules->targets[t].what == EVIDENCE_CATEGORY && span_eq(rules->targets[t].name, winner))
            label = rules->targets[t].label;
    for (size_t i = 0; i < scratch->sums.count && label >= 0; i++) {
        const struct keywords_found *hit = &scratch->hits.items[scratch->sums.met[i]];
        const size_t ngram = scratch->sums.ngrams[i];
        struct explain_match out = {
            .what = EVIDENCE_CATEGORY,
            .target = winner,
            .rule = rules->learned_file,
            .line = learned_line(rules->learned, ngram),
            .pattern = learned_ngram(rules->learned, ngram),
            .weight = points(learned_share(rules->learned, &scratch->sums, i, (size_t)label)),
            .learned = true,
            .place = text_place(&scratch->text, hit->from, classify_end(hit))};
        on_match(ctx, &out);
    }
}

void explain_matches(const struct rules *rules, const struct rules_scratch *scratch,
                     struct span winner,
                     void (*on_match)(void *ctx, const struct explain_match *match), void *ctx)
{
    for (size_t i = 0; i < scratch->match_count; i++) {
        const struct evidence_match *match = &scratch->matches[i];
        const struct rules_use *use = &rules->uses[match->use];
        const struct rules_source *source = &rules->sources[match->use];
        const struct rules_target *target = &rules->targets[use->target];
        struct explain_match out = {.what = target->what,
                                    .target = target->name,
                                    .rule = target->rule,
                                    .pattern = source->pattern,
                                    .line = source->line,
                                    .column = source->column,
                                    .weight = points(use->weight),
                                    .place = text_place(&scratch->text, match->from, match->to)};
        if (match->negated)
            out.state = EXPLAIN_NEGATED;
        else if (scratch->cells[use->target].set_aside)
            out.state = EXPLAIN_SET_ASIDE;
        on_match(ctx, &out);
    }
    explain_ngrams(rules, scratch, winner, on_match, ctx);
}
