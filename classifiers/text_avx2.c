/*
 * The loop for AVX2: eight characters of three bytes, or sixteen of one, at a time. The kind is
 * told by the next byte; a block reaches as far as its characters are of that kind, and no further
 * than the first that is broken. What is of neither kind goes to text_step_common and text_step.
 */
#include "classifiers/text_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline))

enum {
    BLOCK_BYTES = 28, /* that a block of either kind may look at */
    ASCII_LANES = 16,
};

/* Folds those of eight units, as 32-bit words, that become one unit each. Returns the others, one
 * bit each. */
TARGET INLINE uint32_t fold_plain(__m256i *units)
{
    const int *plain = (const int *)(const void *)text_plain;
    __m256i found = _mm256_i32gather_epi32(plain, *units, 2);
    found = _mm256_and_si256(found, _mm256_set1_epi32(0xFFFF));
    __m256i none = _mm256_cmpeq_epi32(found, _mm256_setzero_si256());
    *units = _mm256_blendv_epi8(found, *units, none);
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(none));
}

/* from <= value <= to, of positive 32-bit words. */
TARGET INLINE __m256i in_range(__m256i value, int from, int to)
{
    return _mm256_and_si256(_mm256_cmpgt_epi32(value, _mm256_set1_epi32(from - 1)),
                            _mm256_cmpgt_epi32(_mm256_set1_epi32(to + 1), value));
}

/* Stores eight units, folded, and their origins at lane `lane`; returns which it could not fold. */
TARGET INLINE uint32_t store_eight(struct text *text, size_t lane, __m256i units, __m256i origin)
{
    uint32_t others = fold_plain(&units);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(units, units), 0x08);
    _mm_storeu_si128((__m128i *)(void *)(text->units + text->count + lane),
                     _mm256_castsi256_si128(packed));
    _mm256_storeu_si256((__m256i *)(void *)(text->origin + text->count + lane), origin);
    return others;
}

/* Takes over the first `lanes` that were stored; returns how many it took. */
TARGET INLINE size_t take(struct text *text, struct text_input *input, uint32_t others,
                          size_t lanes)
{
    others = _bzhi_u32(others, (unsigned)lanes);
    if (others != 0)
        return text_settle(text, input, others, lanes);
    text->count += lanes;
    return lanes;
}

/* Characters of three bytes. Goes on behind those it took; false when a step is needed. */
TARGET INLINE bool append_three(struct text *text, struct text_input *input)
{
    const unsigned char *at = input->bytes + input->at;
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(at + 12));
    __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    /* One character in each word: third byte, second, first, nothing. */
    const __m256i spread = _mm256_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1, //
                                            2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1);
    __m256i wide = _mm256_shuffle_epi8(bytes, spread);
    __m256i shape = _mm256_and_si256(wide, _mm256_set1_epi32(0x00F0C0C0));
    __m256i right = _mm256_cmpeq_epi32(shape, _mm256_set1_epi32(0x00E08080));
    /* The third byte + 64 * the second, then + 4096 * the first. */
    __m256i parts = _mm256_and_si256(wide, _mm256_set1_epi32(0x000F3F3F));
    __m256i pairs = _mm256_maddubs_epi16(parts, _mm256_set1_epi32(0x00014001));
    __m256i units = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x10000001));
    /* Overlong forms and surrogates. */
    right = _mm256_and_si256(right, _mm256_cmpgt_epi32(units, _mm256_set1_epi32(0x7FF)));
    right = _mm256_andnot_si256(in_range(units, 0xD800, 0xDFFF), right);
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(right));
    size_t lanes = (size_t)__builtin_ctz(~mask);
    __m256i origin = _mm256_add_epi32(_mm256_set1_epi32((int)(uint32_t)input->at),
                                      _mm256_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21));
    uint32_t others = store_eight(text, 0, units, origin);
    size_t taken = take(text, input, others, lanes);
    input->at += 3 * taken;
    return taken > 0 && taken == lanes;
}

/* ASCII, as append_three. */
TARGET INLINE bool append_ascii(struct text *text, struct text_input *input)
{
    const unsigned char *at = input->bytes + input->at;
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    size_t lanes =
        (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(bytes) | UINT32_C(1) << ASCII_LANES);
    uint32_t others = 0;
    for (int half = 0; half < 2; half++) {
        __m256i origin = _mm256_add_epi32(_mm256_set1_epi32((int)(uint32_t)input->at + 8 * half),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        __m256i units = _mm256_cvtepu8_epi32(bytes);
        others |= store_eight(text, 8 * (size_t)half, units, origin) << 8 * half;
        bytes = _mm_bsrli_si128(bytes, 8);
    }
    size_t taken = take(text, input, others, lanes);
    input->at += taken;
    return taken > 0 && taken == lanes;
}

TARGET int text_append_avx2(struct text *text, struct text_input *input, struct err *err)
{
    while (input->len - input->at >= BLOCK_BYTES) {
        if (input->run == TEXT_NO_RUN) {
            unsigned char lead = input->bytes[input->at];
            if (lead < 0x80 ? append_ascii(text, input) : lead >= 0xE0 && append_three(text, input))
                continue;
            if (input->at < input->len && input->run == TEXT_NO_RUN &&
                text_step_common(text, input))
                continue;
        }
        if (input->at < input->len && text_step(text, input, err) != 0)
            return -1;
    }
    return text_append_portable(text, input, err);
}

#else

int text_append_avx2(struct text *text, struct text_input *input, struct err *err)
{
    return text_append_portable(text, input, err);
}

#endif
