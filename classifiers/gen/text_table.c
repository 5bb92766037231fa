/*
 * text_table: makes the tables of text normalisation at build time.
 *
 *   text_table TS ST TW HK     prints the C header; the files are OpenCC's dictionaries TSCharacters,
 * STCharacters, TWVariants and HKVariants as text: a key, a tab, what it may become, by spaces
 *
 * One code point is folded by NFKC of that code point alone, lower case, and traditional to
 * simplified; each code point of the result is folded again until nothing changes, so folding is
 * idempotent. Line ends of every kind become U+000A, other white space U+0020, what Unicode calls
 * default-ignorable (zero-width characters, bidi controls, variation selectors) becomes nothing,
 * U+FFFE and U+FFFF become U+FFFD.
 *
 * Script: a text must fold to the same units as what OpenCC makes of it for the mainland (s2t),
 * Taiwan (s2tw) and Hong Kong (s2hk). So every character is joined with all that the dictionaries
 * may turn it into or make it from, and a whole class of joined characters folds to one of them:
 * 复 with 復 複 覆, 着 with 著, 么 with 麼 麽 幺. That takes a few everyday characters together that
 * differ in meaning (藉 becomes 借, 瞭 becomes 了); keywords are folded likewise. The class folds to
 * its commonest character, judged by the two levels of GB 2312; among equals to the one that the
 * dictionaries call simplified.
 *
 * The tables: text_table_block[cp >> 8] names a block of 256 deltas; text_table_delta[block * 256 +
 * low byte]. In the BMP, cp + delta (mod 65536) is the result, when it is one unit; a sum in the
 * surrogate range, 0xD800 + k, stands for special k. Above the BMP a delta of 0 means unchanged,
 * else it is k + 1. Special k is the run text_table_pool[text_table_from[k] .. text_table_from[k +
 * 1]) of units; special 0 is the empty run.
 *
 * text_table_noise[text_table_noise_row[cp >> 8] * 8 + (cp >> 5 & 7)] has bit cp & 31 set when cp is
 * noise. For the fast loops, text_plain[unit] is the one unit that a unit becomes, when it becomes one
 * and that is no noise; else, and for halves of surrogate pairs, 0.
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

static uint32_t noise_bits[BLOCKS][BLOCK / 32];
static uint16_t noise_row_of[BLOCKS];
static int noise_rows;
static uint16_t plain[0x10000 + 1]; /* one more, for loops that read two at once */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "text_table: %s\n", what);
    exit(1);
}

/* How common a character is: 2 and 1 for the levels of GB 2312, 0 for those outside. */
static int commonness(int32_t cp)
{
    static iconv_t gb2312;
    if (gb2312 == NULL && (gb2312 = iconv_open("GB2312", "UTF-8")) == (iconv_t)-1)
        die("iconv does not know GB2312");
    uint8_t utf8[4];
    uint8_t out[8];
    char *in = (char *)utf8;
    char *to = (char *)out;
    size_t in_left = (size_t)utf8proc_encode_char(cp, utf8);
    size_t out_left = sizeof out;
    iconv(gb2312, NULL, NULL, NULL, NULL);
    if (iconv(gb2312, &in, &in_left, &to, &out_left) != 0 || out_left != sizeof out - 2)
        return 0;
    return out[0] < 0xD8 ? 2 : 1;
}

/* The one character that stands for the class of cp. */
static int32_t class_of(int32_t cp)
{
    while (simplified[cp] != cp)
        cp = simplified[cp];
    return cp;
}

static void join(int32_t traditional, int32_t simple)
{
    int32_t a = class_of(traditional);
    int32_t b = class_of(simple);
    if (commonness(a) > commonness(b))
        simplified[b] = a;
    else
        simplified[a] = b;
}

/* Takes the next word, up to a tab, space or line end, off the text. Its code point when it is one
 * character, else -1. */
static int32_t take_char(char **text)
{
    size_t len = strcspn(*text, "\t \n");
    int32_t cp;
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)*text, (utf8proc_ssize_t)len, &cp);
    *text += len;
    *text += strspn(*text, "\t \n");
    return n > 0 && (size_t)n == len ? cp : -1;
}

/* Joins each key with what it may become. In TSCharacters that is the simple one, and the first is
 * enough: others are for phrases, and would join 画 with 划. In the other dictionaries the key is
 * simple. */
static void read_dictionary(const char *path, bool key_is_traditional)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot open a dictionary");
    char line[256];
    size_t pairs = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *text = line;
        int32_t key = take_char(&text);
        for (int nth = 0; *text != '\0' && (nth == 0 || !key_is_traditional); nth++) {
            int32_t value = take_char(&text);
            if (key < 0 || value < 0)
                continue;
            join(key_is_traditional ? key : value, key_is_traditional ? value : key);
            pairs++;
        }
    }
    if (ferror(file) || pairs == 0)
        die("a dictionary is empty or cannot be read");
    fclose(file);
}

static bool is_line_end(int32_t cp)
{
    return (cp >= 0x0A && cp <= 0x0D) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

static bool is_space(int32_t cp)
{
    return cp == 0x09 || cp == 0x20 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

/* What may be dropped between two Han characters, as it is after folding: nothing that a sentence
 * needs. Dashes of a sentence (U+2014, U+2015), quotes, brackets and digits in circles stay. */
static const int32_t
    noise[][2] =
        {
            {0x00, 0x09}, /* controls, the line ends left out */
            {0x0E, 0x20}, /* and the space */
            {'#', '#'},          {'*', '+'},
            {'-', '-'},          {'/', '/'},
            {'=', '='},          {'@', '@'},
            {'\\', '\\'},        {'^', '`'},   /* ^ _ ` */
            {'|', '|'},          {'~', 0x84},  /* ~ and more controls */
            {0x86, 0x9F},        {0xA6, 0xA6}, /* broken bar */
            {0xB7, 0xB7},                      /* middle dot */
            {0x02C6, 0x02DF},                  /* marks that stand alone */
            {0x0300, 0x036F},                  /* marks put over or through a character */
            {0x1AB0, 0x1AFF},    {0x1DC0, 0x1DFF},
            {0x2010, 0x2013},                      /* hyphens, short dashes */
            {0x2016, 0x2016},    {0x2022, 0x2024}, /* bullets */
            {0x2027, 0x2027},    {0x203B, 0x203B}, /* reference mark */
            {0x203F, 0x2044}, /* ties, asterism, hyphen bullet, fraction slash */
            {0x204E, 0x2055}, /* asterisks, swung dash, flower */
            {0x205A, 0x205E}, /* columns of dots */
            {0x20D0, 0x20FF}, /* marks around a character */
            {0x2190, 0x21FF}, /* arrows */
            {0x2212, 0x2212}, /* minus */
            {0x2215, 0x2219}, /* slashes, asterisk, ring, bullet */
            {0x2223, 0x2223},    {0x223C, 0x223F},
            {0x22C4, 0x22C6}, /* diamond, dot, star */
            {0x2300, 0x2307}, /* technical symbols, without their brackets */
            {0x230C, 0x2328},    {0x232B, 0x245F},
            {0x2500, 0x275A}, /* boxes, blocks, shapes, symbols, dingbats without their quotes, */
            {0x2761, 0x2767}, /* brackets */
            {0x2794, 0x27BF}, /* and digits */
            {0x27F0, 0x297F}, /* arrows, Braille */
            {0x2B00, 0x2BFF},    {0x3004, 0x3004},
            {0x3012, 0x3013},    {0x301C, 0x301C}, /* wave dash */
            {0x3020, 0x3020},    {0x3030, 0x3030},
            {0x303B, 0x303F},    {0x3099, 0x309A},
            {0x30FB, 0x30FC}, /* Katakana's dot and dash */
            {0x4DC0, 0x4DFF}, /* hexagrams */
            {0xE000, 0xF8FF}, /* private use: the emoji of old telephones */
            {0xFE20, 0xFE2F},    {0xFFFC, 0xFFFD},
            {0x1F000, 0x1FAFF}, /* emoji, tiles, cards, pictographs */
            {0xF0000, 0x10FFFF},
};

static bool is_noise(int32_t cp)
{
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        if (cp >= noise[i][0] && cp <= noise[i][1])
            return true;
    }
    return false;
}

/* One step: what cp becomes before its parts are folded again. */
static void fold_once(int32_t cp, struct run *out)
{
    out->count = 0;
    if (is_space(cp) || is_line_end(cp)) {
        out->cp[out->count++] = is_space(cp) ? ' ' : '\n';
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
        out->cp[i] = class_of(utf8proc_tolower(out->cp[i]));
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

static void fill_noise(void)
{
    for (int row = 0; row < BLOCKS; row++) {
        uint32_t *bits = noise_bits[noise_rows];
        memset(bits, 0, sizeof noise_bits[0]);
        for (int i = 0; i < BLOCK; i++)
            bits[i >> 5] |= (uint32_t)is_noise(row * BLOCK + i) << (i & 31);
        int same = 0;
        while (memcmp(noise_bits[same], bits, sizeof noise_bits[0]) != 0)
            same++;
        noise_row_of[row] = (uint16_t)same;
        if (same == noise_rows)
            noise_rows++;
    }
}

static void fill_plain(void)
{
    for (int32_t cp = 0; cp < 0x10000; cp++) {
        uint16_t unit = (uint16_t)(cp + delta_of(cp));
        if ((unit & 0xF800) != 0xD800 && !is_noise(unit))
            plain[cp] = unit;
    }
}

static void print_array(const char *linkage, const char *name, const uint16_t *values, size_t count)
{
    printf("\n%sconst uint16_t %s[%zu] = {", linkage, name, count);
    for (size_t i = 0; i < count; i++)
        printf("%s%u,", i % 16 == 0 ? "\n    " : " ", values[i]);
    puts("\n};");
}

static void print_bits(const char *name, const uint32_t *words, size_t count)
{
    printf("\nstatic const uint32_t %s[%zu] = {", name, count);
    for (size_t i = 0; i < count; i++)
        printf("%s0x%X,", i % 8 == 0 ? "\n    " : " ", words[i]);
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
    print_array("static ", "text_table_block", block_of, BLOCKS);
    print_array("static ", "text_table_delta", deltas[0], (size_t)block_count * BLOCK);
    print_array("static ", "text_table_from", special_from, (size_t)special_count + 1);
    print_array("static ", "text_table_pool", pool, special_from[special_count]);
    print_array("static ", "text_table_noise_row", noise_row_of, BLOCKS);
    print_bits("text_table_noise", noise_bits[0], (size_t)noise_rows * (BLOCK / 32));
    print_array("", "text_plain", plain, sizeof plain / sizeof *plain);
    puts("\n#endif");
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage: text_table TSCharacters STCharacters TWVariants HKVariants");
    for (int32_t cp = 0; cp < CODE_POINTS; cp++)
        simplified[cp] = cp;
    for (int i = 1; i < argc; i++)
        read_dictionary(argv[i], i == 1);
    fill_blocks();
    fill_noise();
    fill_plain();
    print_header();
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write");
    return 0;
}
