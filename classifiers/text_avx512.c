/*
 * The loop for AVX-512 with VBMI and VBMI2, 64 bytes at a time. Four compares tell leads from
 * continuations; shifted masks of leads must equal the mask of continuations, which is the whole
 * check of UTF-8 but for surrogates, which text_plain does not hold. The positions of the leads,
 * compressed, are the origins, and gather each character's bytes by a permutation (the idea of
 * compressing by leads: Clausecker & Lemire, "Transcoding Unicode Characters with AVX-512
 * Instructions", 2023). A gather from text_plain folds 16 units; what it does not hold is looked at
 * by text_settle.
 *
 * A block ends before its first character that is broken, of four bytes, or cut off by the end of
 * the block; text_step takes the first two kinds.
 */
#include "classifiers/text_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET      \
    __attribute__(( \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline))

/* What the loop keeps in registers. */
struct constants {
    __m512i identity;                                       /* bytes 0, 1, 2, ... 63 */
    __m512i continuation, two, two_span, three, three_span; /* bytes */
    __m512i behind, low_six, weights, five_bits;            /* 16-bit words */
};

/* A block, cut to whole characters of one to three bytes. */
struct block {
    __m512i bytes;
    uint64_t starts, two, three; /* where characters begin, and which have two or three bytes */
    unsigned end;                /* bytes in it */
    bool odd;                    /* it was cut before a character that only text_step can treat */
};

/* Without it gcc makes each constant anew wherever it is used, which costs more than the rest. */
TARGET INLINE __m512i in_register(__m512i value)
{
    __asm__("" : "+v"(value));
    return value;
}

TARGET INLINE struct constants constants_make(void)
{
    static const unsigned char identity[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    return (struct constants){
        .identity = in_register(_mm512_loadu_si512(identity)),
        .continuation = in_register(_mm512_set1_epi8((char)0xC0)),
        .two = in_register(_mm512_set1_epi8((char)0xC2)),
        .two_span = in_register(_mm512_set1_epi8(0xDF - 0xC2)),
        .three = in_register(_mm512_set1_epi8((char)0xE1)),
        .three_span = in_register(_mm512_set1_epi8(0xEF - 0xE1)),
        .behind = in_register(_mm512_set1_epi16(0x0102)),
        .low_six = in_register(_mm512_set1_epi16(0x3F3F)),
        .weights = in_register(_mm512_set1_epi16(0x4001)),
        .five_bits = in_register(_mm512_set1_epi16(0x1F)),
    };
}

/* The bits below bit n <= 64. */
TARGET INLINE uint64_t low_bits(unsigned n)
{
    return _bzhi_u64(~UINT64_C(0), n);
}

/* Which bytes lie in [from, from + span]. */
TARGET INLINE uint64_t bytes_between(__m512i bytes, __m512i from, __m512i span)
{
    return _cvtmask64_u64(_mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, from), span));
}

TARGET INLINE struct block block_read(const struct constants *k, const unsigned char *at,
                                      size_t left)
{
    struct block block = {.end = left < 64 ? (unsigned)left : 64};
    uint64_t in = low_bits(block.end);
    __m512i bytes = _mm512_maskz_loadu_epi8(_cvtu64_mask64(in), at);
    uint64_t ascii = ~_cvtmask64_u64(_mm512_movepi8_mask(bytes)) & in;
    uint64_t rest = _cvtmask64_u64(_mm512_cmplt_epi8_mask(bytes, k->continuation));
    block.bytes = bytes;
    block.two = bytes_between(bytes, k->two, k->two_span);
    /* E1 to EF: E0 has second bytes that are not allowed, so text_step takes it. */
    block.three = bytes_between(bytes, k->three, k->three_span);
    block.starts = ascii | block.two | block.three;
    uint64_t expected = ((block.two | block.three) << 1) | (block.three << 2);
    uint64_t wrong = (expected ^ rest) | (in & ~(block.starts | rest));
    if (block.end == 64) {
        if ((block.three >> 62 & 1) != 0)
            block.end = 62;
        else if ((block.two | block.three) >> 63 != 0)
            block.end = 63;
    }
    if (wrong != 0) {
        unsigned first = (unsigned)_tzcnt_u64(wrong);
        /* Where a continuation is missing, the character before it is the broken one. */
        if ((expected >> first & 1) != 0)
            first = 63 - (unsigned)__builtin_clzll(block.starts & low_bits(first));
        if (first < block.end) {
            block.odd = true;
            block.end = first;
        }
    }
    block.starts &= low_bits(block.end);
    return block;
}

/* The units of 32 characters whose first bytes are at `index` of bytes. */
TARGET INLINE __m512i units_at(const struct constants *k, __m512i bytes, __m256i index,
                               uint32_t two, uint32_t three)
{
    __m512i first = _mm512_cvtepu8_epi16(index);
    __mmask64 even = _cvtu64_mask64(UINT64_C(0x5555555555555555));
    __m512i lead = _mm512_maskz_permutexvar_epi8(even, first, bytes);
    /* The third byte low, the second high: as one product, second * 64 + third. */
    __m512i behind = _mm512_or_si512(first, _mm512_slli_epi16(first, 8));
    behind = _mm512_add_epi16(behind, k->behind);
    __m512i pair = _mm512_and_si512(_mm512_permutexvar_epi8(behind, bytes), k->low_six);
    __m512i long_units =
        _mm512_or_si512(_mm512_slli_epi16(lead, 12), _mm512_maddubs_epi16(pair, k->weights));
    __m512i units = _mm512_mask_blend_epi16(_cvtu32_mask32(three), lead, long_units);
    if (two != 0) {
        __m512i high = _mm512_slli_epi16(_mm512_and_si512(lead, k->five_bits), 6);
        units = _mm512_mask_blend_epi16(_cvtu32_mask32(two), units,
                                        _mm512_or_si512(high, _mm512_srli_epi16(pair, 8)));
    }
    return units;
}

/* Folds those of 16 units that become one unit each. Returns which of the first `lanes` others
 * there are. */
TARGET INLINE uint32_t fold_plain(__m256i *units, unsigned lanes)
{
    __m512i found = _mm512_i32gather_epi32(_mm512_cvtepu16_epi32(*units), text_plain, 2);
    __m256i plain = _mm512_cvtepi32_epi16(found);
    __mmask16 none = _mm256_testn_epi16_mask(plain, plain);
    *units = _mm256_mask_blend_epi16(none, plain, *units);
    return _bzhi_u32(_cvtmask16_u32(none), lanes);
}

/* Appends `lanes` <= 32 characters. Returns how many it took: fewer when text_step is needed. */
TARGET INLINE unsigned append_lanes(const struct constants *k, struct text *text,
                                    struct text_input *input, __m512i bytes, __m256i index,
                                    uint32_t two, uint32_t three, unsigned lanes)
{
    __m512i units = units_at(k, bytes, index, two, three);
    __m256i low = _mm512_castsi512_si256(units);
    __m256i high = _mm512_extracti64x4_epi64(units, 1);
    uint32_t others = fold_plain(&low, lanes);
    if (lanes > 16)
        others |= fold_plain(&high, lanes - 16) << 16;
    uint16_t *to = text->units + text->count;
    _mm256_storeu_si256((__m256i *)(void *)to, low);
    _mm256_storeu_si256((__m256i *)(void *)(to + 16), high);
    __m512i base = _mm512_set1_epi32((int)(uint32_t)input->at);
    __m512i near = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(index));
    __m512i far = _mm512_cvtepu8_epi32(_mm256_extracti128_si256(index, 1));
    uint32_t *origin = text->origin + text->count;
    _mm512_storeu_si512(origin, _mm512_add_epi32(base, near));
    _mm512_storeu_si512(origin + 16, _mm512_add_epi32(base, far));
    if (others != 0)
        return (unsigned)text_settle(text, input, others, lanes);
    text->count += lanes;
    return lanes;
}

/* Appends a block. Returns how many of its bytes it took: fewer when text_step is needed. */
TARGET INLINE size_t append_block(const struct constants *k, struct text *text,
                                  struct text_input *input, const struct block *block)
{
    unsigned lanes = (unsigned)_mm_popcnt_u64(block->starts);
    __m512i index = _mm512_maskz_compress_epi8(_cvtu64_mask64(block->starts), k->identity);
    uint64_t two = _pext_u64(block->two, block->starts);
    uint64_t three = _pext_u64(block->three, block->starts);
    unsigned taken = append_lanes(k, text, input, block->bytes, _mm512_castsi512_si256(index),
                                  (uint32_t)two, (uint32_t)three, lanes < 32 ? lanes : 32);
    if (taken == 32 && lanes > 32 && input->run == TEXT_NO_RUN)
        taken += append_lanes(k, text, input, block->bytes, _mm512_extracti64x4_epi64(index, 1),
                              (uint32_t)(two >> 32), (uint32_t)(three >> 32), lanes - 32);
    if (taken == lanes)
        return block->end;
    return _tzcnt_u64(_pdep_u64(UINT64_C(1) << taken, block->starts));
}

TARGET int text_append_avx512(struct text *text, struct text_input *input, struct err *err)
{
    const struct constants k = constants_make();
    while (input->at < input->len) {
        struct block block = block_read(&k, input->bytes + input->at, input->len - input->at);
        size_t taken = append_block(&k, text, input, &block);
        bool odd = block.odd || taken < block.end;
        input->at += taken;
        while (odd || (input->run != TEXT_NO_RUN && input->at < input->len)) {
            if (text_step(text, input, err) != 0)
                return -1;
            odd = false;
        }
    }
    return 0;
}

#else

int text_append_avx512(struct text *text, struct text_input *input, struct err *err)
{
    return text_append_portable(text, input, err);
}

#endif
