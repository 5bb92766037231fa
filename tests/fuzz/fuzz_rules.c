/*
 * Rule files: any bytes as one file of a rule set either compile or are refused with a place in
 * that file; what compiles classifies any text.
 *
 * The first byte of the input chooses the file, the rest is its contents; the other files are good
 * ones.
 */
#include "classifiers/rules.h"
#include "classifiers/rules_private.h"
#include "engine/base/check.h"
#include "engine/base/utf.h"

#include <stdint.h>
#include <string.h>

static const char *const names[] = {"categories/a.yaml", "kinds.yaml",    "review.yaml",
                                    "sla.yaml",          "tags.yaml",     "urgency.yaml",
                                    "conditions.yaml",   "negations.yaml"};
enum { FILES = sizeof names / sizeof *names };
static const char *const good[FILES] = {
    "category: 城乡建设\nrules:\n  - path: 市政/环卫\n    keywords: {3: [垃圾]}\n",
    "default: complaint\nrules:\n  - kind: enquiry\n    keywords: {3: [请问]}\n",
    "min_score: 3\nmin_margin: 0.15\n",
    "default: ordinary\nclasses:\n  - name: ordinary\n    resolve: 24h\n",
    "rules:\n  - tag: old\n    name: 老人\n    keywords: [独居]\n",
    "default: blue\nrules:\n  - level: red\n    keywords: [着火]\n    unless: ['演练']\n"
    "    conditions: [夜间]\n    unless_conditions: [打架]\n",
    "conditions:\n  - name: 夜间\n    any: [半夜, {regex: '[十9]点'}]\n  - name: 打架\n"
    "    near: {within: 5, of: [[停车], [打架]]}\n    none: [{title: 咨询}]\n",
    "before: {within: 4, words: [没有]}\nafter: {within: 8, words: [误报]}\nexcept: [没有人管]\n",
};

/* The text that what compiled must classify: the file's own bytes, when they are UTF-8, hold most
 * hits. */
static void classify_with(const struct rules *rules, struct span input)
{
    struct rules_scratch *scratch = rules_scratch_new();
    struct verdict verdict;
    struct err err;
    CHECK(scratch != NULL);
    int done = classify(rules, scratch, SPAN("垃圾请问"), input, &verdict, &err);
    CHECK(done == 0 || !utf8_valid(input));
    for (size_t i = 0; done == 0 && i < verdict.evidence_count; i++) {
        const struct text_place *place = &verdict.evidence[i].place;
        CHECK(place->bytes.len != 0);
        CHECK(place->in_title || place->bytes.ptr == input.ptr + place->offset);
        CHECK(place->in_title || place->offset + place->bytes.len <= input.len);
    }
    rules_scratch_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t chosen = data[0] % FILES;
    struct span input = span_of((const char *)data + 1, size - 1);
    struct rules_file list[FILES];
    for (size_t i = 0; i < FILES; i++)
        list[i] = (struct rules_file){.path = names[i],
                                      .name = span_str(names[i]),
                                      .text = i == chosen ? input : span_str(good[i])};
    struct rules_files files = {.list = list, .count = FILES, .capacity = FILES};
    struct err err = {0};
    struct rules *rules = rules_compile(&files, RULES_ALL, &err);
    if (rules == NULL) {
        CHECK(err.code != ERR_NONE && err.text[0] != '\0');
        /* A class that sla.yaml lost, or a condition, may be missed elsewhere; all else is the chosen
         * file's fault. */
        CHECK(strncmp(err.text, names[chosen], strlen(names[chosen])) == 0 || chosen == 3 ||
              chosen == 6);
        return 0;
    }
    classify_with(rules, input);
    rules_unref(&rules);
    return 0;
}
