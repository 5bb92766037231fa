#include "classifiers/regex.h"

#include "classifiers/regex_fold.h"
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/base/utf.h"

#define PCRE2_CODE_UNIT_WIDTH 16
#include <pcre2.h>

#include <stdbool.h>

enum { JIT_STACK_MIN = 32 * 1024, JIT_STACK_MAX = 512 * 1024, MESSAGE_UNITS = 256 };

struct regex {
    pcre2_code *code;
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack;
};

static void *pcre2_alloc(size_t size, void *ctx)
{
    (void)ctx;
    return mem_alloc(size);
}

static void pcre2_release(void *ptr, void *ctx)
{
    (void)ctx;
    mem_free(ptr);
}

/* PCRE2's message for code, as plain ASCII. */
static void pcre2_message(int code, char out[MESSAGE_UNITS])
{
    PCRE2_UCHAR units[MESSAGE_UNITS];
    int length = pcre2_get_error_message(code, units, MESSAGE_UNITS);
    int n = 0;
    for (; n < length && n < MESSAGE_UNITS - 1; n++)
        out[n] = (char)(units[n] < 0x80 ? units[n] : '?');
    out[n] = '\0';
}

static int compile_code(struct regex *regex, const struct regex_folded *folded,
                        pcre2_compile_context *context, struct err *err)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    regex->code = pcre2_compile(folded->units, folded->count,
                                PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C |
                                    PCRE2_NEVER_UCP | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY,
                                &code, &offset, context);
    if (regex->code == NULL && code == PCRE2_ERROR_HEAP_FAILED)
        return err_set(err, ERR_NOMEM, "out of memory while compiling a pattern");
    if (regex->code == NULL) {
        char message[MESSAGE_UNITS];
        pcre2_message(code, message);
        size_t at = offset <= folded->count ? folded->origin[offset] : 0;
        return err_set(err, ERR_SYNTAX, "%s at character %zu of the pattern", message, at + 1);
    }
    uint32_t matches_empty = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
    if (matches_empty != 0)
        return err_set(err, ERR_SYNTAX,
                       "the pattern can match the empty text, so it would match every text; make a "
                       "part of it required");
    /* Without JIT (the machine may forbid it) the interpreter gives the same answers, only later,
     * and reaches the limits sooner. */
    if (pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == PCRE2_ERROR_NOMEMORY)
        return err_set(err, ERR_NOMEM, "out of memory while compiling a pattern");
    return 0;
}

static int compile_folded(struct regex *regex, const struct regex_folded *folded, struct err *err)
{
    pcre2_general_context *general = pcre2_general_context_create(pcre2_alloc, pcre2_release, NULL);
    pcre2_compile_context *context = general == NULL ? NULL : pcre2_compile_context_create(general);
    int done = -1;
    if (context == NULL)
        err_set(err, ERR_NOMEM, "out of memory while compiling a pattern");
    else
        done = compile_code(regex, folded, context, err);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return done;
}

struct regex *regex_compile(struct span pattern, struct err *err)
{
    struct regex_folded folded = {.units = NULL};
    struct regex *regex = mem_zalloc(1, sizeof *regex);
    if (regex == NULL)
        err_set(err, ERR_NOMEM, "out of memory while compiling a pattern");
    else if (regex_fold(pattern, &folded, err) != 0 || compile_folded(regex, &folded, err) != 0)
        regex_free(&regex);
    regex_folded_free(&folded);
    return regex;
}

void regex_free(struct regex **regex)
{
    if (*regex == NULL)
        return;
    pcre2_code_free((*regex)->code);
    mem_free(*regex);
    *regex = NULL;
}

static int scratch_fill(struct regex_scratch *scratch, pcre2_general_context *general)
{
    scratch->data = pcre2_match_data_create(1, general);
    scratch->context = pcre2_match_context_create(general);
    scratch->jit_stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, general);
    if (scratch->data == NULL || scratch->context == NULL || scratch->jit_stack == NULL)
        return -1;
    pcre2_set_depth_limit(scratch->context, LIMIT_REGEX_DEPTH);
    pcre2_set_heap_limit(scratch->context, LIMIT_REGEX_HEAP_KIB);
    pcre2_jit_stack_assign(scratch->context, NULL, scratch->jit_stack);
    return 0;
}

struct regex_scratch *regex_scratch_new(struct err *err)
{
    pcre2_general_context *general = pcre2_general_context_create(pcre2_alloc, pcre2_release, NULL);
    struct regex_scratch *scratch = mem_zalloc(1, sizeof *scratch);
    if (general == NULL || scratch == NULL || scratch_fill(scratch, general) != 0) {
        err_set(err, ERR_NOMEM, "out of memory while preparing to match patterns");
        regex_scratch_free(&scratch);
    }
    pcre2_general_context_free(general);
    return scratch;
}

void regex_scratch_free(struct regex_scratch **scratch)
{
    if (*scratch == NULL)
        return;
    pcre2_match_data_free((*scratch)->data);
    pcre2_match_context_free((*scratch)->context);
    pcre2_jit_stack_free((*scratch)->jit_stack);
    mem_free(*scratch);
    *scratch = NULL;
}

/* PCRE2 counts steps anew at each place where a match may begin, so a limit on one place alone
 * would let a long text cost that many times as much: the places share what one search may take. */
static void share_steps(struct regex_scratch *scratch, size_t places)
{
    size_t share = LIMIT_REGEX_MATCH / places;
    pcre2_set_match_limit(scratch->context, share > 0 ? (uint32_t)share : 1);
}

/* Searches one text without a boundary in it, from `start` on. */
static int search_piece(const struct regex *regex, struct regex_scratch *scratch,
                        const uint16_t *units, size_t count, size_t start, size_t *from, size_t *to)
{
    share_steps(scratch, count - start + 1); /* the end is a place too */
    int found = pcre2_match(regex->code, units, count, start, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                            scratch->data, scratch->context);
    if (found == PCRE2_ERROR_NOMATCH)
        return REGEX_NO_MATCH;
    if (found < 0) {
        metric_add(METRIC_REGEX_LIMITED, 1);
        return REGEX_LIMITED;
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(scratch->data);
    *from = span[0];
    *to = span[1];
    return span[0] < span[1] ? REGEX_MATCH : REGEX_NO_MATCH;
}

int regex_search(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                 size_t count, size_t start, size_t *from, size_t *to)
{
    size_t boundary = 0;
    while (boundary < count && units[boundary] != TEXT_BOUNDARY)
        boundary++;
    int found = REGEX_NO_MATCH;
    if (start < boundary) /* an empty piece holds no match */
        found = search_piece(regex, scratch, units, boundary, start, from, to);
    if (found == REGEX_MATCH || boundary == count)
        return found;
    size_t base = boundary + 1;
    int limited = found;
    found = search_piece(regex, scratch, units + base, count - base,
                         start > base ? start - base : 0, from, to);
    if (found == REGEX_MATCH) {
        *from += base;
        *to += base;
    }
    return found == REGEX_NO_MATCH ? limited : found;
}
