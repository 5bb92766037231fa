/*
 * Classification in three steps: find, decide, show.
 *
 * Find: one scan of the keyword matcher, and one search per regex whose literals that scan met,
 * collect the matches, each pattern's first one only, and add their weights to their targets and to
 * the categories above them. Decide: among the targets that were touched, the best of each sort.
 * Show: evidence for what was decided.
 *
 * Nothing is cleared between two texts: a score or a mark counts only when its epoch is the
 * scratch's, and every classification begins a new epoch. So the work is that of the text, its hits
 * and the targets they touch, however large the rule set is (but for the regexes that nothing
 * filters). A scratch keeps its memory and grows only when a larger rule set or a longer text
 * comes.
 */
#include "classifiers/evidence.h"
#include "classifiers/rules.h"
#include "classifiers/rules_private.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

/* What a text gave one target. */
struct cell {
    uint32_t epoch;
    int score;
    bool set_aside; /* an `unless` of its rule matched */
};

/* The sets of a regex's literals that a text met. */
struct gate {
    uint32_t epoch;
    uint32_t met;
};

struct rules_scratch {
    struct text text;
    struct regex_scratch *regex;
    uint32_t epoch;
    bool regex_limited;
    struct cell *cells; /* by target */
    size_t cell_capacity;
    uint32_t *seen; /* by value: the epoch that met it last */
    size_t seen_capacity;
    uint32_t *touched; /* targets with a cell of this epoch; capacity of cells */
    size_t touched_count;
    struct gate *gates;
    uint32_t *ready; /* regexes whose gates are open; capacity of gates */
    size_t gate_capacity, ready_count;
    struct evidence_match *matches;
    size_t match_count, match_capacity;
    struct evidence_picker picker;
};

/* One classification. */
struct job {
    const struct rules *rules;
    struct rules_scratch *scratch;
    struct verdict *verdict;
    uint32_t winner, runner_up; /* first-level targets, or RULES_NONE */
    bool negated_red;
};

struct rules_scratch *rules_scratch_new(void)
{
    struct rules_scratch *scratch = mem_zalloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    scratch->regex = regex_scratch_new(NULL);
    if (scratch->regex == NULL)
        rules_scratch_free(&scratch);
    return scratch;
}

void rules_scratch_free(struct rules_scratch **scratch)
{
    struct rules_scratch *s = *scratch;
    *scratch = NULL;
    if (s == NULL)
        return;
    text_free(&s->text);
    regex_scratch_free(&s->regex);
    mem_free(s->cells);
    mem_free(s->seen);
    mem_free(s->touched);
    mem_free(s->gates);
    mem_free(s->ready);
    mem_free(s->matches);
    mem_free(s);
}

const struct text *rules_scratch_text(const struct rules_scratch *scratch)
{
    return &scratch->text;
}

/* Makes the marks fit the rule set; marks that move are all forgotten. */
static int fit_cells(struct rules_scratch *s, size_t count)
{
    if (s->cell_capacity >= count)
        return 0;
    struct cell *cells = mem_zalloc(count, sizeof *cells);
    uint32_t *touched = mem_zalloc(count, sizeof *touched);
    if (cells == NULL || touched == NULL) {
        mem_free(cells);
        mem_free(touched);
        return -1;
    }
    mem_free(s->cells);
    mem_free(s->touched);
    s->cells = cells;
    s->touched = touched;
    s->cell_capacity = count;
    return 0;
}

static int fit_gates(struct rules_scratch *s, size_t count)
{
    if (s->gate_capacity >= count)
        return 0;
    struct gate *gates = mem_zalloc(count, sizeof *gates);
    uint32_t *ready = mem_zalloc(count, sizeof *ready);
    if (gates == NULL || ready == NULL) {
        mem_free(gates);
        mem_free(ready);
        return -1;
    }
    mem_free(s->gates);
    mem_free(s->ready);
    s->gates = gates;
    s->ready = ready;
    s->gate_capacity = count;
    return 0;
}

static int fit_seen(struct rules_scratch *s, size_t count)
{
    if (s->seen_capacity >= count)
        return 0;
    uint32_t *seen = mem_zalloc(count, sizeof *seen);
    if (seen == NULL)
        return -1;
    mem_free(s->seen);
    s->seen = seen;
    s->seen_capacity = count;
    return 0;
}

/* A new epoch; when they run out, all marks are forgotten. */
static int scratch_begin(struct rules_scratch *s, const struct rules *rules)
{
    if (fit_cells(s, rules->target_count) != 0 || fit_gates(s, rules->gate_count) != 0 ||
        fit_seen(s, rules->value_count) != 0)
        return -1;
    if (++s->epoch == 0) {
        for (size_t i = 0; i < s->cell_capacity; i++)
            s->cells[i].epoch = 0;
        for (size_t i = 0; i < s->gate_capacity; i++)
            s->gates[i].epoch = 0;
        for (size_t i = 0; i < s->seen_capacity; i++)
            s->seen[i] = 0;
        s->epoch = 1;
    }
    s->touched_count = 0;
    s->ready_count = 0;
    s->match_count = 0;
    s->regex_limited = false;
    return 0;
}

/* --- find --- */

/* The score of a target, 0 when this text did not touch it. */
static int score_of(const struct job *job, uint32_t target)
{
    const struct cell *cell = &job->scratch->cells[target];
    return cell->epoch == job->scratch->epoch ? cell->score : 0;
}

static void add_score(struct job *job, uint32_t target, int weight)
{
    struct rules_scratch *s = job->scratch;
    for (; target != RULES_NONE; target = job->rules->targets[target].parent) {
        struct cell *cell = &s->cells[target];
        if (cell->epoch != s->epoch) {
            *cell = (struct cell){.epoch = s->epoch};
            s->touched[s->touched_count++] = target;
        }
        cell->score += weight;
    }
}

static int add_match(struct job *job, uint32_t use, size_t from, size_t to)
{
    struct rules_scratch *s = job->scratch;
    if (s->match_count == s->match_capacity) {
        size_t capacity = s->match_capacity == 0 ? 256 : s->match_capacity * 2;
        struct evidence_match *matches = mem_resize(s->matches, capacity, sizeof *matches);
        if (matches == NULL)
            return -1;
        s->matches = matches;
        s->match_capacity = capacity;
    }
    const struct rules_use *u = &job->rules->uses[use];
    s->matches[s->match_count++] =
        (struct evidence_match){.use = use, .weight = u->weight, .from = from, .to = to};
    add_score(job, u->target, u->weight);
    return 0;
}

/* A literal of a regex was met. */
static void pull(struct job *job, const struct rules_trigger *trigger)
{
    struct rules_scratch *s = job->scratch;
    struct gate *gate = &s->gates[trigger->gate];
    const struct rules_gate *wanted = &job->rules->gates[trigger->gate];
    if (gate->epoch != s->epoch)
        *gate = (struct gate){.epoch = s->epoch};
    if (gate->met == wanted->sets)
        return;
    gate->met |= trigger->set;
    if (gate->met == wanted->sets && wanted->regex != RULES_NONE)
        s->ready[s->ready_count++] = wanted->regex;
}

static bool is_open(const struct job *job, uint32_t index)
{
    const struct gate *gate = &job->scratch->gates[index];
    uint32_t wanted = job->rules->gates[index].sets;
    return wanted == 0 || (gate->epoch == job->scratch->epoch && gate->met == wanted);
}

/* The title stands first, so the first hit of a keyword tells all: a use that counts in titles only
 * has its chance then or never. */
static int on_keyword(void *ctx, const struct keywords_hit *hit)
{
    struct job *job = ctx;
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    if (s->seen[hit->value] == s->epoch)
        return 0;
    s->seen[hit->value] = s->epoch;
    const struct rules_value *value = &rules->values[hit->value];
    bool in_title = hit->to <= s->text.title_units;
    for (uint32_t u = value->use; u < value[1].use; u++)
        if ((in_title || !rules->uses[u].title_only) && add_match(job, u, hit->from, hit->to) != 0)
            return -1;
    for (uint32_t t = value->trigger; t < value[1].trigger; t++)
        pull(job, &rules->triggers[t]);
    return 0;
}

static bool search(struct job *job, const struct regex *regex, size_t *from, size_t *to)
{
    const struct text *text = &job->scratch->text;
    int found = regex_search(regex, job->scratch->regex, text->units, text->count, 0, from, to);
    if (found == REGEX_LIMITED)
        job->scratch->regex_limited = true;
    return found == REGEX_MATCH;
}

static int find_regex(struct job *job, const struct rules_regex *regex)
{
    size_t from, to;
    return search(job, regex->regex, &from, &to) ? add_match(job, regex->use, from, to) : 0;
}

static int find(struct job *job)
{
    const struct rules *rules = job->rules;
    struct rules_scratch *s = job->scratch;
    if (keywords_scan(rules->keywords, s->text.units, s->text.count, on_keyword, job) != 0)
        return -1;
    for (size_t i = 0; i < rules->unfiltered_count; i++)
        if (find_regex(job, &rules->regexes[i]) != 0)
            return -1;
    for (size_t i = 0; i < s->ready_count; i++)
        if (find_regex(job, &rules->regexes[s->ready[i]]) != 0)
            return -1;
    return 0;
}

/* --- decide --- */

/* True when target a stands before b: the higher score, then the earlier in the files. */
static bool ranks_before(const struct job *job, uint32_t a, uint32_t b)
{
    int left = score_of(job, a), right = score_of(job, b);
    return left != right ? left > right : a < b;
}

/* The best target of a sort with this parent and a score above 0, or RULES_NONE. */
static uint32_t best_of(const struct job *job, enum evidence_for what, uint32_t parent)
{
    uint32_t best = RULES_NONE;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
        uint32_t t = job->scratch->touched[i];
        if (job->rules->targets[t].what == what && job->rules->targets[t].parent == parent &&
            score_of(job, t) > 0 && (best == RULES_NONE || ranks_before(job, t, best)))
            best = t;
    }
    return best;
}

/* The deepest category below a first-level one, following the best at each level. */
static uint32_t descend(const struct job *job, uint32_t target)
{
    for (uint32_t next = target; next != RULES_NONE; next = best_of(job, EVIDENCE_CATEGORY, target))
        target = next;
    return target;
}

/* The best first-level categories, at most `max`, best first. */
static size_t rank_categories(const struct job *job, uint32_t *ranked, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
        uint32_t t = job->scratch->touched[i];
        if (job->rules->targets[t].what != EVIDENCE_CATEGORY ||
            job->rules->targets[t].parent != RULES_NONE || score_of(job, t) <= 0)
            continue;
        if (count == max && !ranks_before(job, t, ranked[max - 1]))
            continue;
        size_t at = count < max ? count++ : max - 1;
        for (; at > 0 && ranks_before(job, t, ranked[at - 1]); at--)
            ranked[at] = ranked[at - 1];
        ranked[at] = t;
    }
    return count;
}

static void decide_category(struct job *job)
{
    uint32_t ranked[1 + LIMIT_SECONDARY];
    size_t count = rank_categories(job, ranked, 1 + LIMIT_SECONDARY);
    struct verdict *v = job->verdict;
    v->sla = job->rules->sla_default;
    if (count == 0)
        return;
    job->winner = ranked[0];
    job->runner_up = count > 1 ? ranked[1] : RULES_NONE;
    const struct rules_target *target = &job->rules->targets[descend(job, job->winner)];
    v->score = score_of(job, job->winner);
    v->category = (struct verdict_category){target->name, v->score};
    v->sla = target->sla;
    v->department = target->department;
    double second = count > 1 ? score_of(job, ranked[1]) : 0;
    v->margin = (v->score - second) / v->score;
    for (size_t i = 1; i < count; i++)
        v->secondary[v->secondary_count++] = (struct verdict_category){
            job->rules->targets[descend(job, ranked[i])].name, score_of(job, ranked[i])};
}

/* True when an `unless` of the rule matches anywhere. One that its limits stopped does not count:
 * an emergency is not set aside by what could not be read to its end. */
static bool is_set_aside(struct job *job, const struct rules_target *target)
{
    size_t from, to;
    for (size_t i = target->unless_at; i < target->unless_end; i++)
        if (is_open(job, job->rules->unless[i].gate) &&
            search(job, job->rules->unless[i].regex, &from, &to))
            return true;
    return false;
}

/* The highest level that matches; among its rules the first in the file that names an SLA class
 * gives it. */
static void decide_urgency(struct job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules_target *sla = NULL;
    int level = -1;
    for (size_t i = 0; i < s->touched_count; i++) {
        const struct rules_target *t = &job->rules->targets[s->touched[i]];
        struct cell *cell = &s->cells[s->touched[i]];
        if (t->what != EVIDENCE_URGENCY)
            continue;
        cell->set_aside = is_set_aside(job, t);
        job->negated_red |= cell->set_aside && t->value == URGENCY_RED;
        if (cell->set_aside || t->value < level)
            continue;
        if (t->value > level)
            sla = NULL;
        level = t->value;
        if (t->sla.len != 0 && (sla == NULL || t < sla))
            sla = t;
    }
    job->verdict->urgency = level < 0 ? job->rules->urgency_default : (enum urgency)level;
    if (sla != NULL)
        job->verdict->sla = sla->sla;
}

static void decide_kind(struct job *job)
{
    uint32_t best = best_of(job, EVIDENCE_KIND, RULES_NONE);
    job->verdict->kind =
        best == RULES_NONE ? job->rules->kind_default : (enum kind)job->rules->targets[best].value;
}

/* Tags in file order. */
static void decide_tags(struct job *job)
{
    uint32_t found[VERDICT_TAGS];
    size_t count = 0;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
        uint32_t t = job->scratch->touched[i];
        if (job->rules->targets[t].what != EVIDENCE_TAG || count == VERDICT_TAGS)
            continue;
        size_t at = count++;
        for (; at > 0 && t < found[at - 1]; at--)
            found[at] = found[at - 1];
        found[at] = t;
    }
    for (size_t i = 0; i < count; i++)
        job->verdict->tags[i] = job->rules->targets[found[i]].name;
    job->verdict->tag_count = count;
}

static void decide_review(struct job *job)
{
    struct verdict *v = job->verdict;
    if (job->negated_red && v->urgency != URGENCY_RED)
        v->review_reason = SPAN("negated_emergency");
    else if (v->category.path.len == 0)
        v->review_reason = SPAN("no_match");
    else if (v->score < job->rules->min_score)
        v->review_reason = SPAN("low_score");
    else if (v->margin < job->rules->min_margin)
        v->review_reason = SPAN("low_margin");
    else if (job->scratch->regex_limited)
        v->review_reason = SPAN("regex_limited");
    v->review = v->review_reason.len != 0;
}

/* --- show --- */

/* The group in which a match of this target is shown, or EVIDENCE_GROUPS when it is not. */
static enum evidence_group group_of(const struct job *job, uint32_t index)
{
    const struct rules_target *t = &job->rules->targets[index];
    if (t->what == EVIDENCE_TAG)
        return EVIDENCE_GROUP_TAG;
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

static struct evidence evidence_of(const struct job *job, const struct evidence_match *match)
{
    const struct rules_use *use = &job->rules->uses[match->use];
    const struct rules_target *target = &job->rules->targets[use->target];
    return (struct evidence){.what = target->what,
                             .target = target->name,
                             .rule = target->rule,
                             .pattern = use->pattern,
                             .weight = match->weight,
                             .place = text_place(&job->scratch->text, match->from, match->to)};
}

static void show(struct job *job)
{
    struct rules_scratch *s = job->scratch;
    struct evidence_picker *picker = &s->picker;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++)
        picker->counts[g] = 0;
    for (size_t i = 0; i < s->match_count; i++) {
        uint32_t target = job->rules->uses[s->matches[i].use].target;
        enum evidence_group group = group_of(job, target);
        if (s->cells[target].set_aside)
            s->matches[i].weight = 0;
        if (group != EVIDENCE_GROUPS)
            evidence_offer(picker, group, &s->matches[i]);
    }
    size_t takes[EVIDENCE_GROUPS];
    evidence_share(picker, takes);
    struct verdict *v = job->verdict;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++)
        for (size_t i = 0; i < takes[g]; i++)
            v->evidence[v->evidence_count++] = evidence_of(job, &picker->best[g][i]);
}

int classify(const struct rules *rules, struct rules_scratch *scratch, struct span title,
             struct span text, struct verdict *verdict, struct err *err)
{
    if (text_set(&scratch->text, title, text, err) != 0)
        return -1;
    *verdict = (struct verdict){.rule_set = rules_id(rules)};
    struct job job = {.rules = rules,
                      .scratch = scratch,
                      .verdict = verdict,
                      .winner = RULES_NONE,
                      .runner_up = RULES_NONE};
    if (scratch_begin(scratch, rules) != 0 || find(&job) != 0)
        return err_set(err, ERR_NOMEM, "out of memory while classifying");
    decide_category(&job);
    decide_urgency(&job);
    decide_kind(&job);
    decide_tags(&job);
    decide_review(&job);
    show(&job);
    return 0;
}
