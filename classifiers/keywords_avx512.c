/*
 * The loops of a search with AVX-512: sixteen places or candidates at a time.
 *
 * What passes a test is packed together (vpcompressd) and stored whole; the lanes that are too much
 * are overwritten by the next, which is why the lists have KEYWORDS_SLACK. Candidates are packed in
 * place: what is written never reaches past what was read. No text is read past its end: loads are
 * masked, and a unit behind the first is gathered as the upper half of the 32 bits that end with
 * it.
 */
#include "classifiers/keywords_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2,popcnt")))

enum { LANES = 16 };

/* The lanes below n. */
TARGET static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)_bzhi_u32(0xFFFF, n < LANES ? (uint32_t)n : LANES);
}

TARGET static inline uint32_t lanes_in(__mmask16 lanes)
{
    return (uint32_t)_mm_popcnt_u32(lanes);
}

TARGET static inline void store_packed(uint32_t *to, __mmask16 lanes, __m512i v)
{
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(lanes, v));
}

TARGET static inline __m512i shift_right(__m512i v, uint32_t bits)
{
    return _mm512_srl_epi32(v, _mm_cvtsi32_si128((int)bits));
}

TARGET static inline __m512i counting_from(uint32_t i)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_add_epi32(_mm512_set1_epi32((int)i), lanes);
}

TARGET static inline __m512i load_units(__mmask16 lanes, const uint16_t *units)
{
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, units));
}

/* Turns words of a filter to the right and asks for a bit. */
TARGET static inline __mmask16 test_turned(__mmask16 in, __m512i word, __m512i hash, int bit)
{
    return _mm512_mask_test_epi32_mask(in, _mm512_rorv_epi32(word, hash), _mm512_set1_epi32(bit));
}

TARGET static void find_singles(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    const struct keywords *k = walk->keywords;
    const __m512i none = _mm512_setzero_si512();
    size_t n = walk->hit_count;
    for (uint32_t i = from; i < to; i += LANES) {
        __mmask16 in = first_lanes(to - i);
        __m512i unit = load_units(in, walk->units + i);
        __m512i word =
            _mm512_mask_i32gather_epi32(none, in, _mm512_srli_epi32(unit, 5), k->single_bits, 4);
        __mmask16 found = test_turned(in, word, unit, 1);
        if (found == 0)
            continue;
        __m512i node = _mm512_mask_i32gather_epi32(none, found, unit, k->singles, 4);
        store_packed(walk->hit_at + n, found, counting_from(i));
        store_packed(walk->hit_node + n, found, node);
        _mm512_storeu_si512(walk->hit_length + n, _mm512_set1_epi32(1));
        n += lanes_in(found);
    }
    walk->hit_count = n;
}

/* Between the two filters a place is its distance from the block's beginning, above the two bits that
 * the first one found. */
enum {
    PAIR_BITS = KEYWORDS_PAIR_ENDS | KEYWORDS_PAIR_GOES_ON,
    PLACE_SHIFT = 17,
};
_Static_assert(KEYWORDS_PAIR_GOES_ON < 1 << PLACE_SHIFT &&
                   (uint64_t)KEYWORDS_BLOCK << PLACE_SHIFT <= UINT32_MAX,
               "a place has no room");

/* Asks the filter of pairs for sixteen places, `in` those that begin a pair. Appends those that
 * pass, with their units, to n candidates. */
TARGET static inline size_t filter_pairs(struct keywords_walk *walk, size_t n, uint32_t place,
                                         __m512i pair, __m512i third, __mmask16 in)
{
    const struct keywords *k = walk->keywords;
    __m512i hash = _mm512_mullo_epi32(pair, _mm512_set1_epi32((int)KEYWORDS_HASH_PAIR));
    __m512i index = _mm512_srlv_epi32(hash, _mm512_set1_epi32((int)k->pair_shift));
    __m512i word =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), in, index, k->pair_filter, 4);
    __m512i bits = _mm512_and_si512(_mm512_rorv_epi32(word, hash), _mm512_set1_epi32(PAIR_BITS));
    __mmask16 pass = _mm512_test_epi32_mask(bits, bits);
    __m512i at = _mm512_or_si512(_mm512_slli_epi32(counting_from(place), PLACE_SHIFT), bits);
    store_packed(walk->at + n, pass, at);
    store_packed(walk->pair + n, pass, pair);
    store_packed(walk->third + n, pass, third);
    return n + lanes_in(pass);
}

/* Asks the filter of triples for the candidates that go on. Those that neither end nor go on drop
 * out. */
TARGET static inline size_t filter_triples(struct keywords_walk *walk, size_t n, uint32_t from)
{
    const struct keywords *k = walk->keywords;
    size_t stay = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 in = first_lanes(n - i);
        __m512i at = _mm512_loadu_si512(walk->at + i);
        __m512i pair = _mm512_loadu_si512(walk->pair + i);
        __m512i third = _mm512_loadu_si512(walk->third + i);
        __m512i hash = _mm512_add_epi32(
            _mm512_mullo_epi32(pair, _mm512_set1_epi32((int)KEYWORDS_HASH_PAIR)),
            _mm512_mullo_epi32(third, _mm512_set1_epi32((int)KEYWORDS_HASH_THIRD)));
        __m512i index = _mm512_srlv_epi32(hash, _mm512_set1_epi32((int)k->triple_shift));
        __m512i word =
            _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), in, index, k->triple_filter, 4);
        __mmask16 ends = _mm512_mask_test_epi32_mask(in, at, _mm512_set1_epi32(KEYWORDS_PAIR_ENDS));
        __mmask16 on =
            _mm512_mask_test_epi32_mask(in, at, _mm512_set1_epi32(KEYWORDS_PAIR_GOES_ON));
        on = test_turned(on, word, hash, KEYWORDS_TRIPLE_IS);
        at = _mm512_add_epi32(_mm512_srli_epi32(at, PLACE_SHIFT), _mm512_set1_epi32((int)from));
        at = _mm512_mask_or_epi32(at, on, at, _mm512_set1_epi32((int)KEYWORDS_TRIPLE));
        __mmask16 pass = (__mmask16)(ends | on);
        store_packed(walk->at + stay, pass, at);
        store_packed(walk->pair + stay, pass, pair);
        stay += lanes_in(pass);
    }
    return stay;
}

/* A pair at the text's end has no third unit: the 0 read for it may pass the filter, and then the
 * next step finds that the text has ended. */
TARGET static size_t filter(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    size_t n = 0;
    for (uint32_t i = from; i < to; i += LANES) {
        const uint16_t *units = walk->units + i;
        uint32_t left = walk->count - i;
        __mmask16 in = first_lanes(to - i);
        __mmask16 in2 = 0xFFFF;
        __mmask16 in3 = 0xFFFF;
        if (left < LANES + 2 || to - i < LANES) {
            in2 = (__mmask16)(in & first_lanes(left - 1));
            in3 = (__mmask16)(in2 & first_lanes(left < 2 ? 0 : left - 2));
        }
        __m512i pair = _mm512_or_si512(load_units(in, units),
                                       _mm512_slli_epi32(load_units(in2, units + 1), 16));
        n = filter_pairs(walk, n, i - from, pair, load_units(in3, units + 2), in2);
    }
    return filter_triples(walk, n, from);
}

/* The nodes of eight keys, which stand where they do in an entry, or 0. */
TARGET static inline __m256i look_up_8(const struct keywords_table *table, __m256i slot0,
                                       __m256i slot1, __m512i key)
{
    const __m512i limit = _mm512_set1_epi64(1 << KEYWORDS_NODE_BITS);
    __m512i first = _mm512_i32gather_epi64(slot0, table->entries, 8);
    __m512i second = _mm512_i32gather_epi64(slot1, table->entries, 8);
    first = _mm512_xor_si512(first, key);
    second = _mm512_xor_si512(second, key);
    __m512i found = _mm512_maskz_mov_epi64(_mm512_cmplt_epu64_mask(first, limit), first);
    found = _mm512_mask_mov_epi64(found, _mm512_cmplt_epu64_mask(second, limit), second);
    return _mm512_cvtepi64_epi32(found);
}

/* The nodes of sixteen keys, hi << 16 | lo, given the sums that make their slots; 0 in lanes that
 * are not `in`. */
TARGET static inline __m512i look_up_16(const struct keywords_table *table, __mmask16 in,
                                        __m512i sum0, __m512i sum1, __m512i hi, __m512i lo)
{
    __m512i slot0 = shift_right(sum0, table->shift);
    __m512i slot1 = shift_right(sum1, table->shift);
    __m512i key_low = _mm512_or_si512(
        _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(hi)),
                          16 + KEYWORDS_NODE_BITS),
        _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(lo)), KEYWORDS_NODE_BITS));
    __m512i key_high =
        _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(hi, 1)),
                                          16 + KEYWORDS_NODE_BITS),
                        _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(lo, 1)),
                                          KEYWORDS_NODE_BITS));
    __m256i low =
        look_up_8(table, _mm512_castsi512_si256(slot0), _mm512_castsi512_si256(slot1), key_low);
    __m256i high = look_up_8(table, _mm512_extracti64x4_epi64(slot0, 1),
                             _mm512_extracti64x4_epi64(slot1, 1), key_high);
    __m512i node = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    return _mm512_maskz_mov_epi32(in, node);
}

/* Puts found nodes where they belong; `longer` are the lanes that may go on. Returns the new number
 * of candidates. */
TARGET static inline size_t sort_nodes(struct keywords_walk *walk, size_t stay, __m512i at,
                                       __m512i node, uint32_t length, __mmask16 longer)
{
    const struct keywords *k = walk->keywords;
    __mmask16 found = _mm512_test_epi32_mask(node, node);
    __mmask16 leaf = _mm512_mask_cmplt_epu32_mask(found, node, _mm512_set1_epi32((int)k->leaf_end));
    __mmask16 inner = _mm512_cmpge_epu32_mask(node, _mm512_set1_epi32((int)k->tail_end));
    __mmask16 both = _mm512_mask_cmplt_epu32_mask(inner, node, _mm512_set1_epi32((int)k->both_end));
    __mmask16 tail = (__mmask16)(longer & found & ~leaf & ~inner);
    __mmask16 hit = (__mmask16)(leaf | both);
    __mmask16 on = (__mmask16)(inner & longer);
    size_t hits = walk->hit_count;
    store_packed(walk->hit_at + hits, hit, at);
    store_packed(walk->hit_node + hits, hit, node);
    _mm512_storeu_si512(walk->hit_length + hits, _mm512_set1_epi32((int)length));
    walk->hit_count = hits + lanes_in(hit);
    store_packed(walk->tail_at + walk->tail_count, tail, at);
    store_packed(walk->tail_node + walk->tail_count, tail, node);
    walk->tail_count += lanes_in(tail);
    store_packed(walk->at + stay, on, at);
    store_packed(walk->node + stay, on, node);
    return stay + lanes_in(on);
}

TARGET static size_t look_up_pairs(struct keywords_walk *walk, size_t n)
{
    const struct keywords_table *table = &walk->keywords->pairs;
    const __m512i multiply0 = _mm512_set1_epi32((int)table->lo[0]);
    const __m512i multiply1 = _mm512_set1_epi32((int)table->lo[1]);
    size_t stay = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 in = first_lanes(n - i);
        __m512i at = _mm512_maskz_loadu_epi32(in, walk->at + i);
        __mmask16 longer = _mm512_movepi32_mask(at);
        at = _mm512_andnot_si512(_mm512_set1_epi32((int)KEYWORDS_TRIPLE), at);
        __m512i pair = _mm512_loadu_si512(walk->pair + i);
        __m512i node = look_up_16(table, in, _mm512_mullo_epi32(pair, multiply0),
                                  _mm512_mullo_epi32(pair, multiply1), _mm512_srli_epi32(pair, 16),
                                  _mm512_and_si512(pair, _mm512_set1_epi32(0xFFFF)));
        stay = sort_nodes(walk, stay, at, node, 2, longer);
    }
    return stay;
}

TARGET static inline __m512i slot_sum(const struct keywords_table *table, int which, __m512i hi,
                                      __m512i lo)
{
    return _mm512_add_epi32(_mm512_mullo_epi32(hi, _mm512_set1_epi32((int)table->hi[which])),
                            _mm512_mullo_epi32(lo, _mm512_set1_epi32((int)table->lo[which])));
}

TARGET static size_t step(struct keywords_walk *walk, size_t n, uint32_t depth)
{
    const struct keywords_table *table = &walk->keywords->edges;
    const __m512i count = _mm512_set1_epi32((int)walk->count);
    const __m512i last = _mm512_set1_epi32((int)depth - 1);
    size_t stay = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 in = first_lanes(n - i);
        __m512i at = _mm512_maskz_loadu_epi32(in, walk->at + i);
        __m512i node = _mm512_maskz_loadu_epi32(in, walk->node + i);
        __m512i before = _mm512_add_epi32(at, last);
        in =
            _mm512_mask_cmplt_epu32_mask(in, _mm512_add_epi32(before, _mm512_set1_epi32(1)), count);
        __m512i unit =
            _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), in, before, walk->units, 2);
        unit = _mm512_srli_epi32(unit, 16);
        node = look_up_16(table, in, slot_sum(table, 0, node, unit), slot_sum(table, 1, node, unit),
                          node, unit);
        stay = sort_nodes(walk, stay, at, node, depth + 1, in);
    }
    return stay;
}

/* A tail has less than LIMIT_KEYWORD_UNITS units, so one register holds it. */
TARGET static void compare_tails(struct keywords_walk *walk, uint32_t depth)
{
    const struct keywords *k = walk->keywords;
    size_t n = walk->hit_count;
    for (size_t i = 0; i < walk->tail_count; i++) {
        const struct keywords_tail *tail = &k->tails[walk->tail_node[i] - k->leaf_end];
        uint32_t at = walk->tail_at[i];
        bool fits = walk->count - at >= tail->length;
        __mmask32 units = _bzhi_u32(UINT32_MAX, fits ? tail->count : 0);
        __m512i here = _mm512_maskz_loadu_epi16(units, walk->units + at + depth);
        __m512i rest = _mm512_maskz_loadu_epi16(units, k->tail_units + tail->from);
        walk->hit_at[n] = at;
        walk->hit_node[n] = walk->tail_node[i];
        walk->hit_length[n] = tail->length;
        n += fits & (_mm512_cmpneq_epi16_mask(here, rest) == 0);
    }
    walk->hit_count = n;
}

/* A register of places and one of values become sixteen records: two registers of pairs. */
_Static_assert(sizeof(struct keywords_found) == 8 && offsetof(struct keywords_found, value) == 4,
               "emit writes two words for each record");

TARGET static void emit(const struct keywords_walk *walk, struct keywords_found *out)
{
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high =
        _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    for (size_t i = 0; i < walk->hit_count; i += LANES) {
        __mmask16 in = first_lanes(walk->hit_count - i);
        __m512i from = _mm512_loadu_si512(walk->hit_at + i);
        __m512i node = _mm512_loadu_si512(walk->hit_node + i);
        __m512i length = _mm512_loadu_si512(walk->hit_length + i);
        __m512i place = _mm512_or_si512(from, _mm512_slli_epi32(length, 26));
        __m512i value = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), in, node,
                                                    walk->keywords->values, 4);
        uint32_t *to = (uint32_t *)(void *)(out + i);
        _mm512_storeu_si512(to, _mm512_permutex2var_epi32(place, low, value));
        _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi32(place, high, value));
    }
}

const struct keywords_kernel keywords_avx512 = {.singles = find_singles,
                                                .filter = filter,
                                                .pairs = look_up_pairs,
                                                .step = step,
                                                .tails = compare_tails,
                                                .emit = emit};

#endif
