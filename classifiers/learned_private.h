/*
 * learned_private: the inside of a pack, shared by what reads it (learned.c) and what adds its
 * n-grams up (learned_sums.c).
 */
#ifndef JIESU_CLASSIFIERS_LEARNED_PRIVATE_H
#define JIESU_CLASSIFIERS_LEARNED_PRIVATE_H

#include "classifiers/learned.h"

enum {
    LEARNED_NARROW = 8, /* labels in one vector: rows are one or two of them */
    LEARNED_WEIGHT_MAX = 999
};

/* A line of the pack that holds an n-gram. */
struct learned_line {
    struct span ngram; /* in struct learned's text */
    int number;
};

struct learned {
    char *text;       /* a copy of the pack: names and n-grams point into it */
    int16_t *weights; /* `stride` of them per n-gram */
    size_t stride;    /* LEARNED_NARROW or LEARNED_LABELS_MAX: whole vectors */
    struct learned_line *lines;
    size_t count, capacity;
    struct span labels[LEARNED_LABELS_MAX];
    size_t label_count;
    double step;
    double bias[LEARNED_LABELS_MAX];
    double points, lift, floor, few;
    int64_t head;
};

#endif
