/*
 * text_table: makes the tables of text normalisation at build time.
 *
 *   text_table chars                        prints every Chinese character, one per line
 *   text_table table CHARS T2S TW2S HK2S    prints the C header; the files are CHARS and what
 * OpenCC's three configurations made of it, line by line
 *
 * One code point is folded by NFKC of that code point alone, lower case, and traditional to
 * simplified; each code point of the result is folded again until nothing changes, so folding is
 * idempotent. White space of every kind becomes U+0020, what Unicode calls default-ignorable
 * (zero-width characters, bidi controls, variation selectors) becomes nothing, U+FFFE and U+FFFF
 * become U+FFFD.
 *
 * Variants of Taiwan and Hong Kong that t2s leaves alone are joined with their simplified form when
 * exactly one of the two is in GB 2312, the everyday set of simplified Chinese: 衞 becomes 卫, and
 * 抬 stays 抬 although tw2s would make it 擡; 擡 becomes 抬. 著 and 么 are everyday characters
 * themselves and stay.
 *
 * The tables: text_table_block[cp >> 8] names a block of 256 deltas; text_table_delta[block * 256 +
 * low byte]. In the BMP, cp + delta (mod 65536) is the result, when it is one unit; a sum in the
 * surrogate range, 0xD800 + k, stands for special k. Above the BMP a delta of 0 means unchanged,
 * else it is k + 1. Special k is the run text_table_pool[text_table_from[k] .. text_table_from[k +
 * 1]) of units; special 0 is the empty run.
 */
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

enum {
    CODE_POINTS = 0x110000,
    BLOCK = 256,
    BLOCKS = CODE_POINTS / BLOCK,
    LONGEST = 32,       /* code points one code point may become */
    BMP_SPECIALS = 2048 /* as many as there are surrogates */
};

struct run {
    int32_t cp[LONGEST];
    int count;
};

static int32_t simplified[CODE_POINTS];

static uint16_t deltas[BLOCKS][BLOCK];
static uint16_t block_of[BLOCKS];
static int block_count;

static uint16_t pool[65536];
static uint16_t special_from[32768];
static int special_count;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "text_table: %s\n", what);
    exit(1);
}

static const int32_t chinese[][2] = {
    {0x2E80, 0x2FDF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
    {0x20000, 0x2A6DF}, {0x2A700, 0x2EBEF}, {0x2F800, 0x2FA1F}, {0x30000, 0x323AF},
};

static void print_chars(void)
{
    for (size_t r = 0; r < sizeof chinese / sizeof *chinese; r++) {
        for (int32_t cp = chinese[r][0]; cp <= chinese[r][1]; cp++) {
            uint8_t utf8[5];
            utf8proc_ssize_t n = utf8proc_encode_char(cp, utf8);
            utf8[n] = '\0';
            puts((const char *)utf8);
        }
    }
}

/* The one code point on the next line of file; -1 at the end. */
static int32_t read_char(FILE *file)
{
    char line[64];
    if (fgets(line, sizeof line, file) == NULL)
        return -1;
    size_t len = strcspn(line, "\n");
    int32_t cp;
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)line, (utf8proc_ssize_t)len, &cp);
    if (n <= 0 || (size_t)n != len)
        die("OpenCC made something else than one character of a character");
    return cp;
}

static FILE *open_list(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot open a list of characters");
    return file;
}

static bool everyday(iconv_t gb2312, int32_t cp)
{
    uint8_t utf8[4];
    char out[8];
    char *in = (char *)utf8;
    char *to = out;
    size_t in_left = (size_t)utf8proc_encode_char(cp, utf8);
    size_t out_left = sizeof out;
    iconv(gb2312, NULL, NULL, NULL, NULL);
    return iconv(gb2312, &in, &in_left, &to, &out_left) == 0 && in_left == 0;
}

/* Reads CHARS and T2S: the plain mapping. */
static void read_simplified(const char *chars_path, const char *t2s_path)
{
    FILE *chars = open_list(chars_path);
    FILE *t2s = open_list(t2s_path);
    int32_t cp;
    while ((cp = read_char(chars)) >= 0) {
        int32_t to = read_char(t2s);
        if (to < 0)
            die("OpenCC's answer is too short");
        simplified[cp] = to;
    }
    fclose(chars);
    fclose(t2s);
}

/* Reads CHARS and TW2S or HK2S: the variants, where t2s has nothing to say. */
static void read_variants(const char *chars_path, const char *variants_path, iconv_t gb2312)
{
    FILE *chars = open_list(chars_path);
    FILE *variants = open_list(variants_path);
    int32_t cp;
    while ((cp = read_char(chars)) >= 0) {
        int32_t to = read_char(variants);
        if (to < 0)
            die("OpenCC's answer is too short");
        if (to == cp || simplified[cp] != cp)
            continue;
        bool cp_everyday = everyday(gb2312, cp);
        bool to_everyday = everyday(gb2312, to);
        if (to_everyday && !cp_everyday)
            simplified[cp] = to;
        else if (cp_everyday && !to_everyday && simplified[to] == to)
            simplified[to] = cp;
    }
    fclose(chars);
    fclose(variants);
}

static bool is_space(int32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

/* One step: what cp becomes before its parts are folded again. */
static void fold_once(int32_t cp, struct run *out)
{
    out->count = 0;
    if (is_space(cp)) {
        out->cp[out->count++] = ' ';
        return;
    }
    if (utf8proc_get_property(cp)->ignorable)
        return;
    if (cp == 0xFFFE || cp == 0xFFFF) {
        out->cp[out->count++] = 0xFFFD;
        return;
    }
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        cp, out->cp, LONGEST, UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_STABLE, &boundary);
    if (n < 0 || n > LONGEST)
        die("a code point decomposes to too many");
    n = utf8proc_normalize_utf32(out->cp, n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n < 0)
        die("a code point does not normalise");
    out->count = (int)n;
    for (int i = 0; i < out->count; i++)
        out->cp[i] = simplified[utf8proc_tolower(out->cp[i])];
}

static void fold(int32_t cp, struct run *out)
{
    struct run before = {.cp = {cp}, .count = 1};
    for (int round = 0; round < 8; round++) {
        out->count = 0;
        for (int i = 0; i < before.count; i++) {
            struct run part;
            fold_once(before.cp[i], &part);
            if (out->count + part.count > LONGEST)
                die("a code point becomes too many");
            memcpy(out->cp + out->count, part.cp, (size_t)part.count * sizeof part.cp[0]);
            out->count += part.count;
        }
        if (out->count == before.count &&
            memcmp(out->cp, before.cp, (size_t)out->count * sizeof out->cp[0]) == 0)
            return;
        before = *out;
    }
    die("the mappings go round in a circle");
}

/* The number of a special with these code points, made when it is new. */
static int special(const struct run *run)
{
    uint16_t units[2 * LONGEST] = {0};
    size_t count = 0;
    for (int i = 0; i < run->count; i++) {
        uint32_t cp = (uint32_t)run->cp[i];
        if (cp >= 0x10000) {
            units[count++] = (uint16_t)(0xD800 + ((cp - 0x10000) >> 10));
            units[count++] = (uint16_t)(0xDC00 + (cp & 0x3FF));
        } else {
            units[count++] = (uint16_t)cp;
        }
    }
    for (int k = 0; k < special_count; k++) {
        size_t from = special_from[k];
        if (special_from[k + 1] - from == count &&
            memcmp(pool + from, units, count * sizeof *units) == 0)
            return k;
    }
    size_t from = special_from[special_count];
    if (from + count >= sizeof pool / sizeof *pool ||
        (size_t)special_count + 2 >= sizeof special_from / sizeof *special_from)
        die("too many special mappings");
    memcpy(pool + from, units, count * sizeof *units);
    special_from[special_count + 1] = (uint16_t)(from + count);
    return special_count++;
}

static uint16_t delta_of(int32_t cp)
{
    if (cp >= 0xD800 && cp <= 0xDFFF)
        return 0; /* never asked for: no UTF-8 holds a surrogate */
    struct run run;
    fold(cp, &run);
    if (run.count == 1 && run.cp[0] == cp)
        return 0;
    if (cp >= 0x10000)
        return (uint16_t)(special(&run) + 1);
    if (run.count == 1 && run.cp[0] < 0x10000)
        return (uint16_t)(run.cp[0] - cp);
    int k = special(&run);
    if (k >= BMP_SPECIALS)
        die("too many special mappings in the BMP");
    return (uint16_t)(0xD800 + k - cp);
}

static void fill_blocks(void)
{
    special(&(struct run){.count = 0});
    for (int b = 0; b < BLOCKS; b++) {
        for (int i = 0; i < BLOCK; i++)
            deltas[block_count][i] = delta_of(b * BLOCK + i);
        int same = 0;
        while (memcmp(deltas[same], deltas[block_count], sizeof deltas[0]) != 0)
            same++;
        block_of[b] = (uint16_t)same;
        if (same == block_count)
            block_count++;
    }
}

static void print_array(const char *name, const uint16_t *values, size_t count)
{
    printf("\nstatic const uint16_t %s[%zu] = {", name, count);
    for (size_t i = 0; i < count; i++)
        printf("%s%u,", i % 16 == 0 ? "\n    " : " ", values[i]);
    puts("\n};");
}

static void print_header(void)
{
    int longest = 0;
    for (int k = 0; k < special_count; k++) {
        int count = special_from[k + 1] - special_from[k];
        longest = count > longest ? count : longest;
    }
    puts("/* Made by classifiers/gen/text_table.c, which describes these tables; do not edit. */\n"
         "#ifndef JIESU_GEN_TEXT_TABLE_H\n#define JIESU_GEN_TEXT_TABLE_H\n\n#include <stdint.h>\n");
    printf("enum { TEXT_TABLE_LONGEST = %d }; /* units one code point may become */\n", longest);
    print_array("text_table_block", block_of, BLOCKS);
    print_array("text_table_delta", deltas[0], (size_t)block_count * BLOCK);
    print_array("text_table_from", special_from, (size_t)special_count + 1);
    print_array("text_table_pool", pool, special_from[special_count]);
    puts("\n#endif");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "chars") == 0) {
        print_chars();
    } else if (argc == 6 && strcmp(argv[1], "table") == 0) {
        for (int32_t cp = 0; cp < CODE_POINTS; cp++)
            simplified[cp] = cp;
        iconv_t gb2312 = iconv_open("GB2312", "UTF-8");
        if (gb2312 == (iconv_t)-1)
            die("iconv does not know GB2312");
        read_simplified(argv[2], argv[3]);
        read_variants(argv[2], argv[4], gb2312);
        read_variants(argv[2], argv[5], gb2312);
        iconv_close(gb2312);
        fill_blocks();
        print_header();
    } else {
        die("usage: text_table chars | table CHARS T2S TW2S HK2S");
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write");
    return 0;
}
