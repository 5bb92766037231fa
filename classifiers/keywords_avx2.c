/*
 * The loops of a search with AVX2, eight places or candidates at a time; the tails and the hits are
 * left to the portable code.
 *
 * There is no instruction that packs the lanes which passed a test, so their numbers are packed as
 * bytes of a word (pext), and the lanes permuted by them.
 */
#include "classifiers/keywords_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))

enum { LANES = 8 };

TARGET static inline __m256i broadcast(uint32_t v)
{
    return _mm256_set1_epi32((int)v);
}

TARGET static inline __m256i load(const uint32_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

TARGET static inline __m256i load_units(const uint16_t *units)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)units));
}

TARGET static inline __m256i counting_from(uint32_t i)
{
    return _mm256_add_epi32(broadcast(i), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* A bit for each lane whose sign is set. */
TARGET static inline uint32_t signs(__m256i v)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}

/* The order that brings the lanes in the mask to the front. */
TARGET static inline __m256i packing(uint32_t lanes)
{
    uint64_t bytes = _pdep_u64(lanes, UINT64_C(0x0101010101010101)) * 0xFF;
    uint64_t numbers = _pext_u64(UINT64_C(0x0706050403020100), bytes);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)numbers));
}

TARGET static inline void store_packed(uint32_t *to, __m256i order, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_permutevar8x32_epi32(v, order));
}

TARGET static inline uint32_t lanes_in(uint32_t lanes)
{
    return (uint32_t)_mm_popcnt_u32(lanes);
}

TARGET static inline __m256i gather(const uint32_t *words, __m256i index)
{
    return _mm256_i32gather_epi32((const int *)(const void *)words, index, 4);
}

/* How far to shift a word to the left so that the bit which a turn by hash brings to bit 0 becomes
 * the sign. */
TARGET static inline __m256i left_of(__m256i hash)
{
    return _mm256_andnot_si256(hash, broadcast(31));
}

TARGET static inline __m256i shift_right(__m256i v, uint32_t bits)
{
    return _mm256_srl_epi32(v, _mm_cvtsi32_si128((int)bits));
}

TARGET static void find_singles(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    const struct keywords *k = walk->keywords;
    uint32_t i = from;
    size_t n = walk->hit_count;
    for (; i + LANES <= to; i += LANES) {
        __m256i unit = load_units(walk->units + i);
        __m256i word = gather(k->single_bits, _mm256_srli_epi32(unit, 5));
        __m256i found = _mm256_srai_epi32(_mm256_sllv_epi32(word, left_of(unit)), 31);
        /* The node of unit 0 stands in for those of units that are no keyword. */
        __m256i node = gather(k->singles, _mm256_and_si256(unit, found));
        __m256i order = packing(signs(found));
        store_packed(walk->hit_at + n, order, counting_from(i));
        store_packed(walk->hit_node + n, order, node);
        _mm256_storeu_si256((__m256i *)(void *)(walk->hit_length + n), broadcast(1));
        n += lanes_in(signs(found));
    }
    walk->hit_count = n;
    keywords_portable_singles(walk, i, to);
}

/* Candidates among the eight places from i on; two more units stand behind them. */
TARGET static inline size_t filter_8(struct keywords_walk *walk, size_t n, uint32_t i)
{
    const struct keywords *k = walk->keywords;
    const uint16_t *units = walk->units + i;
    __m256i pair = _mm256_or_si256(load_units(units), _mm256_slli_epi32(load_units(units + 1), 16));
    __m256i hash = _mm256_mullo_epi32(pair, broadcast(KEYWORDS_HASH_PAIR));
    __m256i word = gather(k->pair_filter, shift_right(hash, k->pair_shift));
    __m256i left = left_of(hash);
    __m256i ends = _mm256_sllv_epi32(word, left);
    /* Sixteen bits further, around the word's end. */
    __m256i on = _mm256_sllv_epi32(word, _mm256_xor_si256(left, broadcast(16)));
    hash = _mm256_add_epi32(
        hash, _mm256_mullo_epi32(load_units(units + 2), broadcast(KEYWORDS_HASH_THIRD)));
    word = gather(k->triple_filter, shift_right(hash, k->triple_shift));
    on = _mm256_and_si256(on, _mm256_sllv_epi32(word, left_of(hash)));
    uint32_t pass = signs(_mm256_or_si256(ends, on));
    __m256i at =
        _mm256_or_si256(counting_from(i), _mm256_and_si256(on, broadcast(KEYWORDS_TRIPLE)));
    store_packed(walk->at + n, packing(pass), at);
    return n + lanes_in(pass);
}

TARGET static size_t filter(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    size_t n = 0;
    uint32_t i = from;
    for (; i + LANES <= to && i + LANES + 2 <= walk->count; i += LANES)
        n = filter_8(walk, n, i);
    return keywords_portable_filter(walk, n, i, to);
}

/* The nodes of four keys, which stand where they do in an entry, or 0. */
TARGET static inline __m256i look_up_4(const struct keywords_table *table, __m128i slot0,
                                       __m128i slot1, __m256i key)
{
    const long long *entries = (const long long *)(const void *)table->entries;
    const __m256i zero = _mm256_setzero_si256();
    __m256i first = _mm256_xor_si256(_mm256_i32gather_epi64(entries, slot0, 8), key);
    __m256i second = _mm256_xor_si256(_mm256_i32gather_epi64(entries, slot1, 8), key);
    __m256i is_first = _mm256_cmpeq_epi64(_mm256_srli_epi64(first, KEYWORDS_NODE_BITS), zero);
    __m256i is_second = _mm256_cmpeq_epi64(_mm256_srli_epi64(second, KEYWORDS_NODE_BITS), zero);
    return _mm256_or_si256(_mm256_and_si256(first, is_first), _mm256_and_si256(second, is_second));
}

/* The nodes of eight keys, hi << 16 | lo. */
TARGET static inline __m256i look_up_8(const struct keywords_table *table, __m256i hi, __m256i lo)
{
    __m256i slot[2];
    for (int i = 0; i < 2; i++)
        slot[i] = shift_right(_mm256_add_epi32(_mm256_mullo_epi32(hi, broadcast(table->hi[i])),
                                               _mm256_mullo_epi32(lo, broadcast(table->lo[i]))),
                              table->shift);
    __m256i half[2];
    for (int i = 0; i < 2; i++) {
        __m128i hi4 = i == 0 ? _mm256_castsi256_si128(hi) : _mm256_extracti128_si256(hi, 1);
        __m128i lo4 = i == 0 ? _mm256_castsi256_si128(lo) : _mm256_extracti128_si256(lo, 1);
        __m256i key =
            _mm256_or_si256(_mm256_slli_epi64(_mm256_cvtepu32_epi64(hi4), 16 + KEYWORDS_NODE_BITS),
                            _mm256_slli_epi64(_mm256_cvtepu32_epi64(lo4), KEYWORDS_NODE_BITS));
        half[i] = i == 0 ? look_up_4(table, _mm256_castsi256_si128(slot[0]),
                                     _mm256_castsi256_si128(slot[1]), key)
                         : look_up_4(table, _mm256_extracti128_si256(slot[0], 1),
                                     _mm256_extracti128_si256(slot[1], 1), key);
    }
    /* The lower halves of eight 64-bit lanes, in order. */
    const __m256i evens = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_blend_epi32(_mm256_permutevar8x32_epi32(half[0], evens),
                              _mm256_permutevar8x32_epi32(half[1], evens), 0xF0);
}

/* Lanes where a < b; both below 2^31. */
TARGET static inline uint32_t below(__m256i a, uint32_t b)
{
    return signs(_mm256_cmpgt_epi32(broadcast(b), a));
}

/* Puts found nodes where they belong: see the portable one. `in` are the lanes that count, `longer`
 * those of them that may go on. */
TARGET static inline size_t sort_nodes(struct keywords_walk *walk, size_t stay, __m256i at,
                                       __m256i node, uint32_t length, uint32_t in, uint32_t longer)
{
    const struct keywords *k = walk->keywords;
    uint32_t found = in & ~below(node, 1);
    uint32_t leaf = found & below(node, k->leaf_end);
    uint32_t inner = found & ~below(node, k->tail_end);
    uint32_t both = inner & below(node, k->both_end);
    uint32_t tail = found & longer & ~leaf & ~inner;
    uint32_t on = inner & longer;
    __m256i order = packing(leaf | both);
    store_packed(walk->hit_at + walk->hit_count, order, at);
    store_packed(walk->hit_node + walk->hit_count, order, node);
    _mm256_storeu_si256((__m256i *)(void *)(walk->hit_length + walk->hit_count), broadcast(length));
    walk->hit_count += lanes_in(leaf | both);
    order = packing(tail);
    store_packed(walk->tail_at + walk->tail_count, order, at);
    store_packed(walk->tail_node + walk->tail_count, order, node);
    walk->tail_count += lanes_in(tail);
    order = packing(on);
    store_packed(walk->at + stay, order, at);
    store_packed(walk->node + stay, order, node);
    return stay + lanes_in(on);
}

/* The units two by two at eight places, of which the lanes with a sign in `in` are read. */
TARGET static inline __m256i gather_pairs(const struct keywords_walk *walk, __m256i at, __m256i in)
{
    return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(),
                                       (const int *)(const void *)walk->units, at, in, 2);
}

/* All ones in the first n lanes. */
TARGET static inline __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(broadcast(n < LANES ? (uint32_t)n : LANES), counting_from(0));
}

TARGET static size_t look_up_pairs(struct keywords_walk *walk, size_t n)
{
    size_t stay = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __m256i in = first_lanes(n - i);
        __m256i at = load(walk->at + i);
        uint32_t longer = signs(at);
        at = _mm256_andnot_si256(broadcast(KEYWORDS_TRIPLE), at);
        __m256i pair = gather_pairs(walk, at, in);
        __m256i node = look_up_8(&walk->keywords->pairs, _mm256_srli_epi32(pair, 16),
                                 _mm256_and_si256(pair, broadcast(0xFFFF)));
        stay = sort_nodes(walk, stay, at, node, 2, signs(in), longer);
    }
    return stay;
}

TARGET static size_t step(struct keywords_walk *walk, size_t n, uint32_t depth)
{
    size_t stay = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __m256i at = load(walk->at + i);
        __m256i here = _mm256_add_epi32(at, broadcast(depth));
        __m256i in =
            _mm256_and_si256(first_lanes(n - i), _mm256_cmpgt_epi32(broadcast(walk->count), here));
        __m256i before = _mm256_sub_epi32(here, broadcast(1));
        __m256i unit = _mm256_srli_epi32(gather_pairs(walk, before, in), 16);
        __m256i node = look_up_8(&walk->keywords->edges, load(walk->node + i), unit);
        stay = sort_nodes(walk, stay, at, node, depth + 1, signs(in), signs(in));
    }
    return stay;
}

const struct keywords_kernel keywords_avx2 = {.singles = find_singles,
                                              .filter = filter,
                                              .pairs = look_up_pairs,
                                              .step = step,
                                              .tails = keywords_portable_tails,
                                              .emit = keywords_portable_emit};

#endif
