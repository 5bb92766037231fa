#include "engine/cli/eval_tally.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 1000 };

void tally_free(struct tally *tally)
{
    for (size_t i = 0; i < tally->label_count; i++)
        mem_free(tally->labels[i].name);
    mem_free(tally->labels);
    mem_free(tally->pairs);
    *tally = (struct tally){0};
}

/* The index of a label, made when new. */
static int find_label(struct tally *tally, struct span name, uint32_t *index, struct err *err)
{
    for (size_t i = 0; i < tally->label_count; i++)
        if (span_eq(span_str(tally->labels[i].name), name)) {
            *index = (uint32_t)i;
            return 0;
        }
    if (tally->label_count == MAX_LABELS)
        return err_set(err, ERR_LIMIT, "more than %d different labels", MAX_LABELS);
    struct tally_label *labels =
        mem_grow(tally->labels, &tally->label_capacity, tally->label_count, 16, sizeof *labels);
    if (labels == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    tally->labels = labels;
    struct tally_label label = {.name = mem_strndup(name.ptr, name.len)};
    if (label.name == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *index = (uint32_t)tally->label_count;
    tally->labels[tally->label_count++] = label;
    return 0;
}

int tally_add(struct tally *tally, struct span gold, struct span predicted, struct err *err)
{
    struct tally_pair pair = {.predicted = TALLY_NONE};
    struct tally_pair *pairs =
        mem_grow(tally->pairs, &tally->row_capacity, tally->rows, 1024, sizeof *pairs);
    if (pairs == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    tally->pairs = pairs;
    if (find_label(tally, gold, &pair.gold, err) != 0 ||
        (predicted.len != 0 && find_label(tally, predicted, &pair.predicted, err) != 0))
        return -1;
    tally->pairs[tally->rows++] = pair;
    tally->labels[pair.gold].support++;
    if (pair.predicted != TALLY_NONE)
        tally->labels[pair.predicted].predicted++;
    if (pair.predicted == pair.gold) {
        tally->labels[pair.gold].right++;
        tally->right++;
    }
    return 0;
}

static int most_support_first(const void *a, const void *b)
{
    const struct tally_label *left = a, *right = b;
    if (left->support != right->support)
        return left->support > right->support ? -1 : 1;
    return strcmp(left->name, right->name);
}

int tally_sort(struct tally *tally, struct err *err)
{
    size_t count = tally->label_count;
    char **names = mem_zalloc(count + 1, sizeof(char *));
    uint32_t *moved = mem_zalloc(count + 1, sizeof *moved);
    if (names == NULL || moved == NULL) {
        mem_free((void *)names);
        mem_free(moved);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++)
        names[i] = tally->labels[i].name;
    if (count > 1)
        qsort(tally->labels, count, sizeof *tally->labels, most_support_first);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (tally->labels[k].name == names[i])
                moved[i] = (uint32_t)k;
    for (size_t r = 0; r < tally->rows; r++) {
        struct tally_pair *pair = &tally->pairs[r];
        pair->gold = moved[pair->gold];
        if (pair->predicted != TALLY_NONE)
            pair->predicted = moved[pair->predicted];
    }
    mem_free((void *)names);
    mem_free(moved);
    return 0;
}

double tally_ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

double tally_f1(const struct tally_label *label)
{
    return tally_ratio(2 * label->right, label->support + label->predicted);
}

double tally_macro_f1(const struct tally *tally)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < tally->label_count; i++) {
        if (tally->labels[i].support == 0)
            continue;
        sum += tally_f1(&tally->labels[i]);
        count++;
    }
    return count == 0 ? 0 : sum / (double)count;
}

uint64_t tally_confused(const struct tally *tally, uint32_t gold, uint32_t predicted)
{
    uint64_t count = 0;
    for (size_t r = 0; r < tally->rows; r++)
        count += tally->pairs[r].gold == gold && tally->pairs[r].predicted == predicted;
    return count;
}
