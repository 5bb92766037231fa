#include "classifiers/learner_corpus.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <string.h>

/* Shorter words than these could stand in many texts. */
enum { TWIN_UNITS = 8, TWIN_SHARE = 3 };

void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->label_count; i++)
        mem_free((char *)(uintptr_t)corpus->labels[i].ptr);
    mem_free(corpus->documents);
    mem_free(corpus->units);
    text_free(&corpus->text);
    *corpus = (struct corpus){0};
}

int corpus_mask(struct corpus *corpus, struct span word, struct err *err)
{
    if (corpus->mask_count == CORPUS_MASKS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d words to mask", CORPUS_MASKS_MAX);
    struct corpus_mask *mask = &corpus->masks[corpus->mask_count];
    ptrdiff_t count = text_fold(word, mask->units, CORPUS_MASK_UNITS, err);
    if (count < 0)
        return -1;
    if (count == 0)
        return err_set(err, ERR_INVALID, "a word to mask is empty");
    mask->count = (size_t)count;
    corpus->mask_count++;
    return 0;
}

static int find_label(struct corpus *corpus, struct span name, uint32_t *label, struct err *err)
{
    for (size_t i = 0; i < corpus->label_count; i++)
        if (span_eq(corpus->labels[i], name)) {
            *label = (uint32_t)i;
            return 0;
        }
    if (name.len == 0)
        return err_set(err, ERR_INVALID, "the row has no label");
    if (corpus->label_count == LEARNED_LABELS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d different labels", LEARNED_LABELS_MAX);
    const char *copy = mem_strndup(name.ptr, name.len);
    if (copy == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *label = (uint32_t)corpus->label_count;
    corpus->labels[corpus->label_count++] = span_of(copy, name.len);
    return 0;
}

static int make_room(struct corpus *corpus, size_t units)
{
    struct corpus_document *documents =
        mem_grow(corpus->documents, &corpus->capacity, corpus->count, 1024, sizeof *documents);
    if (documents == NULL)
        return -1;
    corpus->documents = documents;
    if (corpus->unit_capacity - corpus->unit_count < units) {
        size_t capacity = (corpus->unit_count + units) * 2;
        uint16_t *moved = mem_resize(corpus->units, capacity, sizeof *moved);
        if (moved == NULL)
            return -1;
        corpus->units = moved;
        corpus->unit_capacity = capacity;
    }
    return 0;
}

static bool is_letter(uint16_t unit)
{
    return unit >= 'a' && unit <= 'z';
}

static bool is_han(uint16_t unit)
{
    return (unit >= 0x3400 && unit <= 0x9FFF) || (unit >= 0xF900 && unit <= 0xFAFF);
}

/* Breaks a document where no n-gram may stand. */
static void break_units(uint16_t *units, size_t count, const uint16_t *from)
{
    for (size_t i = 0; i < count; i++) {
        bool alone =
            (i == 0 || !is_letter(from[i - 1])) && (i + 1 == count || !is_letter(from[i + 1]));
        bool good = is_han(from[i]) || (is_letter(from[i]) && !alone);
        units[i] = good ? from[i] : (uint16_t)CORPUS_BREAK;
    }
}

static void break_masks(const struct corpus *corpus, uint16_t *units, size_t count)
{
    for (size_t m = 0; m < corpus->mask_count; m++) {
        const struct corpus_mask *mask = &corpus->masks[m];
        for (size_t i = 0; i + mask->count <= count; i++)
            if (memcmp(units + i, mask->units, mask->count * sizeof *units) == 0)
                memset(units + i, CORPUS_BREAK, mask->count * sizeof *units);
    }
}

/* Adds what corpus->text holds. */
static int add(struct corpus *corpus, struct span label, bool words, struct err *err)
{
    struct corpus_document document = {.words = words};
    const struct text *text = &corpus->text;
    if (find_label(corpus, label, &document.label, err) != 0)
        return -1;
    if (make_room(corpus, text->count) != 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    document.at = corpus->unit_count;
    document.count = text->count;
    uint16_t *units = corpus->units + corpus->unit_count;
    break_units(units, text->count, text->units);
    break_masks(corpus, units, text->count);
    corpus->unit_count += text->count;
    corpus->documents[corpus->count++] = document;
    return 0;
}

int corpus_add_text(struct corpus *corpus, struct span label, struct span title, struct span text,
                    struct err *err)
{
    if (text_set(&corpus->text, title, text, err) != 0)
        return -1;
    return add(corpus, label, false, err);
}

int corpus_add_words(struct corpus *corpus, struct span label, struct span words, struct err *err)
{
    char *joined = mem_alloc(words.len + 1);
    if (joined == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    size_t length = 0;
    for (size_t i = 0; i < words.len; i++)
        if (words.ptr[i] != ' ')
            joined[length++] = words.ptr[i];
    int done = text_set(&corpus->text, (struct span){0}, span_of(joined, length), err);
    /* The text borrows what is freed here, and its units are all that is used. */
    if (done == 0)
        done = add(corpus, label, true, err);
    mem_free(joined);
    return done;
}

/* The units of a document that are no break. */
static size_t solid(const struct corpus *corpus, const struct corpus_document *document)
{
    size_t count = 0;
    for (size_t i = 0; i < document->count; i++)
        count += corpus->units[document->at + i] != CORPUS_BREAK;
    return count;
}

static bool is_twin(const struct corpus *corpus, const struct corpus_document *words,
                    const struct corpus_document *text)
{
    const uint16_t *wanted = corpus->units + words->at, *end = wanted + words->count;
    const uint16_t *units = corpus->units + text->at;
    for (size_t i = 0; i < text->count && wanted < end; i++) {
        while (wanted < end && *wanted == CORPUS_BREAK)
            wanted++;
        if (wanted < end && *wanted == units[i])
            wanted++;
    }
    while (wanted < end && *wanted == CORPUS_BREAK)
        wanted++;
    return wanted == end;
}

/* The text that a document of words was made from, or NULL. */
static const struct corpus_document *find_twin(const struct corpus *corpus,
                                               const struct corpus_document *words)
{
    size_t length = solid(corpus, words);
    if (length < TWIN_UNITS)
        return NULL;
    for (size_t i = 0; i < corpus->count; i++) {
        const struct corpus_document *text = &corpus->documents[i];
        if (!text->words && length * TWIN_SHARE >= text->count && is_twin(corpus, words, text))
            return text;
    }
    return NULL;
}

size_t corpus_drop_twins(struct corpus *corpus, double *share)
{
    size_t dropped = 0, in_words = 0, in_texts = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        struct corpus_document *document = &corpus->documents[i];
        const struct corpus_document *text = document->words ? find_twin(corpus, document) : NULL;
        if (text == NULL)
            continue;
        in_words += document->count;
        in_texts += text->count;
        document->count = 0;
        document->dropped = true;
        dropped++;
    }
    *share = in_texts == 0 ? 1 : (double)in_words / (double)in_texts;
    return dropped;
}
