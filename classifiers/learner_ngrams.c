/*
 * Two passes: the first counts in how many documents each n-gram stands, in a hash table over all of
 * them (4 units are 64 bits, so a key is the n-gram itself); the second writes down, for the common
 * ones alone, what each document holds.
 */
#include "classifiers/learner_ngrams.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1 << 16 };

struct slot {
    uint64_t key; /* 0: free; no n-gram is, since no unit is 0 */
    uint32_t documents;
    uint32_t
        last; /* the document that counted last, from 1; in the second pass: its entry, from 1 */
};

struct table {
    struct slot *slots;
    size_t size; /* a power of two */
    size_t used;
};

/* The finaliser of splitmix64 (Steele et al. 2014). */
static size_t hash_of(uint64_t key)
{
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9U;
    key = (key ^ (key >> 27)) * 0x94D049BB133111EBU;
    return (size_t)(key ^ (key >> 31));
}

/* The slot of a key, or the free one where it belongs. */
static struct slot *find_slot(const struct table *table, uint64_t key)
{
    size_t i = hash_of(key) & (table->size - 1);
    while (table->slots[i].key != 0 && table->slots[i].key != key)
        i = (i + 1) & (table->size - 1);
    return &table->slots[i];
}

/* Keeps the table at most half full. */
static int grow(struct table *table)
{
    if (table->used * 2 < table->size)
        return 0;
    struct table larger = {.size = table->size == 0 ? FIRST_SLOTS : table->size * 2,
                           .used = table->used};
    larger.slots = mem_zalloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL)
        return -1;
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].key != 0)
            *find_slot(&larger, table->slots[i].key) = table->slots[i];
    mem_free(table->slots);
    *table = larger;
    return 0;
}

static bool is_letter(uint16_t unit)
{
    return unit <= 'z';
}

/* True when a letter of the units stands alone among them: as much as a masked place does. */
static bool has_lone_letter(const uint16_t *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_letter(units[i]) && (i == 0 || !is_letter(units[i - 1])) &&
            (i + 1 == count || !is_letter(units[i + 1])))
            return true;
    return false;
}

/* Called with each n-gram and its first unit's place in the document. Non-zero stops. */
typedef int on_ngram(void *ctx, uint64_t key, size_t at);

static int each_ngram(const uint16_t *units, size_t count, on_ngram *call, void *ctx)
{
    for (size_t at = 0; at < count; at++) {
        uint64_t key = 0;
        for (size_t n = 1; n <= NGRAM_UNITS_MAX && at + n <= count; n++) {
            if (units[at + n - 1] == CORPUS_BREAK)
                break;
            key |= (uint64_t)units[at + n - 1] << (16 * (NGRAM_UNITS_MAX - n));
            if (!has_lone_letter(units + at, n) && call(ctx, key, at) != 0)
                return -1;
        }
    }
    return 0;
}

/* --- first pass --- */

struct counting {
    struct table table;
    uint32_t document; /* from 1 */
};

static int count_ngram(void *ctx, uint64_t key, size_t at)
{
    struct counting *counting = ctx;
    (void)at;
    if (grow(&counting->table) != 0)
        return -1;
    struct slot *slot = find_slot(&counting->table, key);
    if (slot->key == 0) {
        slot->key = key;
        counting->table.used++;
    }
    slot->documents += slot->last != counting->document;
    slot->last = counting->document;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The keys of the common n-grams, ordered; the table then holds each one's place among them, from 1,
 * as `documents`, and 0 for the others. */
static int keep_common(struct ngrams *ngrams, struct table *table, size_t min_documents)
{
    for (size_t i = 0; i < table->size; i++)
        ngrams->count += table->slots[i].key != 0 && table->slots[i].documents >= min_documents;
    ngrams->keys = mem_zalloc(ngrams->count + 1, sizeof *ngrams->keys);
    if (ngrams->keys == NULL)
        return -1;
    size_t count = 0;
    for (size_t i = 0; i < table->size; i++) {
        struct slot *slot = &table->slots[i];
        if (slot->key != 0 && slot->documents >= min_documents)
            ngrams->keys[count++] = slot->key;
        slot->documents = 0;
        slot->last = 0;
    }
    qsort(ngrams->keys, count, sizeof *ngrams->keys, by_key);
    for (size_t i = 0; i < count; i++)
        find_slot(table, ngrams->keys[i])->documents = (uint32_t)i + 1;
    return 0;
}

/* --- second pass --- */

/* An n-gram of a document: its first place, and how often it stands there. */
struct met {
    uint32_t ngram, from, times;
};

struct writing {
    struct table *table;
    struct ngrams *ngrams;
    struct met *met; /* of this document; those of earlier ones stand before `first` */
    size_t first, count, capacity;
};

static int write_ngram(void *ctx, uint64_t key, size_t at)
{
    struct writing *w = ctx;
    struct slot *slot = find_slot(w->table, key);
    if (slot->key == 0 || slot->documents == 0)
        return 0;
    if (slot->last > w->first) {
        w->met[slot->last - 1].times++;
        return 0;
    }
    struct met *met = mem_grow(w->met, &w->capacity, w->count, 65536, sizeof *met);
    if (met == NULL)
        return -1;
    w->met = met;
    w->met[w->count++] =
        (struct met){.ngram = slot->documents - 1, .from = (uint32_t)at, .times = 1};
    slot->last = (uint32_t)w->count;
    return 0;
}

static int by_ngram(const void *a, const void *b)
{
    const struct ngram_entry *left = a, *right = b;
    return left->ngram < right->ngram ? -1 : left->ngram > right->ngram;
}

static int write_documents(struct writing *w, const struct corpus *corpus)
{
    for (size_t d = 0; d < corpus->count; d++) {
        const struct corpus_document *document = &corpus->documents[d];
        w->first = w->count;
        w->ngrams->rows[d] = w->count;
        if (each_ngram(corpus->units + document->at, document->count, write_ngram, w) != 0)
            return -1;
    }
    w->ngrams->rows[corpus->count] = w->count;
    return 0;
}

/* What was met becomes entries with values. */
static int write_entries(const struct writing *w, const struct corpus *corpus, double head,
                         double head_words)
{
    struct ngrams *ngrams = w->ngrams;
    ngrams->entries = mem_zalloc(w->count + 1, sizeof *ngrams->entries);
    if (ngrams->entries == NULL)
        return -1;
    for (size_t d = 0; d < corpus->count; d++) {
        double limit = corpus->documents[d].words ? head_words : head;
        size_t from = ngrams->rows[d], to = ngrams->rows[d + 1];
        for (size_t i = from; i < to; i++)
            ngrams->entries[i] = (struct ngram_entry){
                w->met[i].ngram, learned_value(w->met[i].times, w->met[i].from < limit)};
        qsort(ngrams->entries + from, to - from, sizeof *ngrams->entries, by_ngram);
    }
    return 0;
}

int ngrams_find(struct ngrams *ngrams, const struct corpus *corpus, size_t min_documents,
                double head, double head_words)
{
    struct counting counting = {0};
    struct writing w = {.table = &counting.table, .ngrams = ngrams};
    *ngrams = (struct ngrams){.rows = mem_zalloc(corpus->count + 1, sizeof *ngrams->rows)};
    int done = ngrams->rows == NULL ? -1 : grow(&counting.table);
    for (size_t d = 0; d < corpus->count && done == 0; d++) {
        counting.document = (uint32_t)d + 1;
        done = each_ngram(corpus->units + corpus->documents[d].at, corpus->documents[d].count,
                          count_ngram, &counting);
    }
    if (done == 0)
        done = keep_common(ngrams, &counting.table, min_documents);
    if (done == 0)
        done = write_documents(&w, corpus);
    if (done == 0)
        done = write_entries(&w, corpus, head, head_words);
    mem_free(w.met);
    mem_free(counting.table.slots);
    return done;
}

void ngrams_free(struct ngrams *ngrams)
{
    mem_free(ngrams->keys);
    mem_free(ngrams->entries);
    mem_free(ngrams->rows);
    *ngrams = (struct ngrams){0};
}

size_t ngrams_utf8(uint64_t key, char out[NGRAM_BYTES_MAX])
{
    size_t length = 0;
    for (int shift = 16 * (NGRAM_UNITS_MAX - 1); shift >= 0; shift -= 16) {
        unsigned unit = (unsigned)(key >> shift) & 0xFFFF;
        if (unit == 0)
            break;
        if (unit < 0x80) {
            out[length++] = (char)unit;
            continue;
        }
        /* Units of the corpus are Han where they are not letters: three bytes each. */
        out[length++] = (char)(0xE0 | unit >> 12);
        out[length++] = (char)(0x80 | (unit >> 6 & 0x3F));
        out[length++] = (char)(0x80 | (unit & 0x3F));
    }
    return length;
}
