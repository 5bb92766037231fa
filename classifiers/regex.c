#include "classifiers/regex_private.h"

#include "classifiers/regex_fold.h"
#include "classifiers/text.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include <time.h>

enum {
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 512 * 1024,
    MESSAGE_UNITS = 256,
    LONG_REPEAT = 64
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
    regex->code =
        pcre2_compile(folded->units, folded->count,
                      PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP |
                          PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_USE_OFFSET_LIMIT,
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
    int compiled = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    regex->is_compiled = compiled == 0;
    if (compiled == PCRE2_ERROR_NOMEMORY)
        return err_set(err, ERR_NOMEM, "out of memory while compiling a pattern");
    return 0;
}

/* True when one step may read more than LONG_REPEAT units: syntax that repeats without a small
 * bound, or refers back. What only looks like it (in a class, escaped) does no harm. */
static bool is_long(const struct regex_folded *folded)
{
    for (size_t i = 0; i < folded->count; i++) {
        uint16_t unit = folded->units[i];
        uint16_t next = i + 1 < folded->count ? folded->units[i + 1] : 0;
        if (unit == '*' || unit == '+' || (unit == ',' && next == '}') ||
            (unit == '\\' && ((next >= '1' && next <= '9') || next == 'k' || next == 'g')))
            return true;
        unsigned number = 0;
        for (; i < folded->count && folded->units[i] >= '0' && folded->units[i] <= '9'; i++)
            number = number * 10 + folded->units[i] - '0';
        if (number > LONG_REPEAT)
            return true;
    }
    return false;
}

/* True when a match may depend on what stands behind it: a look ahead, an end, a boundary. What only
 * looks like one does no harm. */
static bool looks_ahead(const struct regex_folded *folded)
{
    for (size_t i = 0; i < folded->count; i++) {
        uint16_t unit = folded->units[i];
        uint16_t next = i + 1 < folded->count ? folded->units[i + 1] : 0;
        uint16_t third = i + 2 < folded->count ? folded->units[i + 2] : 0;
        if (unit == '$' || (unit == '(' && next == '?' && (third == '=' || third == '!')) ||
            (unit == '\\' && (next == 'b' || next == 'B' || next == 'z' || next == 'Z')))
            return true;
    }
    return false;
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
    regex->is_long = is_long(folded);
    regex->looks_ahead = looks_ahead(folded);
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

bool regex_looks_ahead(const struct regex *regex)
{
    return regex->looks_ahead;
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

static uint64_t thread_ns(void *ctx)
{
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t steady_ns(void *ctx)
{
    (void)ctx;
    return clock_steady_ns();
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
    if (scratch != NULL)
        scratch->clock = (struct regex_clock){steady_ns, thread_ns, NULL};
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
