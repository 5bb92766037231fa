#include "engine/base/random.h"
#include "engine/base/utf.h"
#include "engine/model/pii.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *in, *out;
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void check_rows(const struct row *rows, size_t count,
                       void (*mask)(struct span in, struct buf *out))
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = {0};
        mask(span_str(rows[i].in), &out);
        assert_true(buf_ok(&out));
        if (!span_eq(buf_view(&out), span_str(rows[i].out)))
            fail_msg("'%s' became '%.*s', not '%s'", rows[i].in, SPAN_ARG(buf_view(&out)),
                     rows[i].out);
        buf_free(&out);
    }
}

static void phones(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"13812345678", "138****5678"},
        {"138 1234 5678", "138****5678"},
        {"138-1234-5678", "138****5678"},
        {"+86 13812345678", "138****5678"},
        {"86-138-1234-5678", "138****5678"},
        {"008613812345678", "138****5678"},
        {"１３８１２３４５６７８", "138****5678"},
        {"0731-88881234", "073*****1234"},
        {"(010) 8888 1234", "010****1234"},
        {"88881234", "******34"},
        {"8888123", "*****23"},
        {"12345", "***45"},
        {"1234", "****"},
        {"1", "*"},
        {"abc", "***"},
        {"微信同号", "****"},
        {"138x2345678", "***********"},
    };
    check_rows(rows, COUNT(rows), pii_mask_phone);
}

static void person_names(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"王", "王"},
        {"王伟", "王*"},
        {"欧阳建国", "欧***"},
        {"Ann Lee", "A******"},
        {"𠮷田", "𠮷*"},
    };
    check_rows(rows, COUNT(rows), pii_mask_name);
}

static void numbers_in_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"没有号码。", "没有号码。"},
        {"电话13812345678，谢谢", "电话138****5678，谢谢"},
        {"13812345678", "138****5678"},
        {"电话１３８１２３４５６７８。", "电话１３８****５６７８。"},
        {"打138 1234 5678找我", "打138 **** 5678找我"},
        {"打138-1234-5678找我", "打138-****-5678找我"},
        {"打138－1234－5678找我", "打138－****－5678找我"},
        {"打138 - 1234 - 5678找我", "打138 - **** - 5678找我"},
        {"打1381 2345 678找我", "打138* ***5 678找我"},
        {"打138 1234-5678找我", "打138 ****-5678找我"},
        {"打（138）1234-5678找我", "打（138）****-5678找我"},
        {"打138-1234 5678找我", "打138-**** 5678找我"},
        {"+86 13812345678", "+86 138****5678"},
        {"+8613812345678", "+*************"},
        {"1 3 8 1 2 3 4 5 6 7 8", "1 3 8 * * * * 5 6 7 8"},
        {"13812345678/13987654321", "138****5678/139****4321"},
        {"13812345678 13987654321", "138****5678 139****4321"},
        {"2栋301 13812345678", "2栋301 138****5678"},
        {"301 138 1234 5678", "301 138 **** 5678"},
        {"138 1234 5678 301", "138 **** 5678 301"},
        {"\xE2\x80\xAD"
         "13812345678\xE2\x80\xAC",
         "\xE2\x80\xAD"
         "138****5678\xE2\x80\xAC"},
        {"138\xE2\x80\x8B"
         "12345678",
         "138\xE2\x80\x8B"
         "****5678"},
        {"微信A13812345678", "微信A138****5678"},
        /* landlines */
        {"0731-88881234", "****-********"},
        {"（0731）88881234", "（****）********"},
        {"0731 8888 1234转8001", "**** **** ****转8001"},
        {"010-8888-1234", "***-****-****"},
        {"021 62345678", "*** ********"},
        {"073188881234", "************"},
        {"座机88881234", "座机********"},
        {"座机8888123", "座机*******"},
        /* identity cards */
        {"身份证430102199001011234", "身份证******************"},
        {"身份证43010219900101123X号", "身份证******************号"},
        {"身份证43010219900101123x", "身份证******************"},
        {"身份证４３０１０２１９９００１０１１２３Ｘ", "身份证******************"},
        {"430102 19900101 123X", "****** ******** ****"},
        {"430102-19900101-1234", "******-********-****"},
        {"430102900101123", "***************"},
        /* bank cards */
        {"卡号6222021234567890", "卡号****************"},
        {"卡号6222021234567890123", "卡号*******************"},
        {"6222 0212 3456 7890 123", "**** **** **** **** ***"},
        {"6222 0212 3456 7890", "**** **** **** ****"},
        /* long runs */
        {"1234567", "*******"},
        {"12345678901234567890123456789", "*****************************"},
        /* e-mail */
        {"邮箱zhang.san@qq.com。", "邮箱*********@qq.com。"},
        {"12345@qq.com", "*****@qq.com"},
        {"13812345678@163.com", "***********@163.com"},
        {"ｌｉ＠ｑｑ．ｃｏｍ", "**＠ｑｑ．ｃｏｍ"},
        {"138 1234 5678abc@qq.com", "138 **** 5678***@qq.com"},
    };
    check_rows(rows, COUNT(rows), pii_mask_text);
}

static void what_stays(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "2025年1月28日",
        "2025-01-28 10:30",
        "2025.01.28",
        "2025 01 28 10 30",
        "1998-2003年",
        "月租3000-5000元",
        "押金1500-2000 300元",
        "收费12345.67元",
        "1,234,567元",
        "共123456元",
        "12栋3单元1203室",
        "1203-1204室",
        "湖滨路1号院",
        "A座1-2-301",
        "12345热线",
        "110、119、120",
        "95588",
        "@物业 在吗",
        "a@b",
        "abc@",
        "@qq.com",
        "2023，2024，2025",
        "坐202路、315路公交",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct row row = {rows[i], rows[i]};
        check_rows(&row, 1, pii_mask_text);
    }
}

/* Whatever surrounds it, a mobile number in one piece never comes through, and what holds no digit
 * and no '@' comes through unchanged. */
static void property_no_number_comes_through(void **state)
{
    (void)state;
    static const char *const pieces[] = {"电话", " ",  "-",  "号", "2025", "301",
                                         "1",    "x",  "@",  "a",  ".",    "（",
                                         "）",   "\n", "０", "转", "，",   "\xFF"};
    struct random random = {20250128};
    for (int round = 0; round < 20000; round++) {
        char text[512] = "", number[16];
        size_t before = random_below(&random, 6), after = random_below(&random, 6);
        for (size_t i = 0; i < before; i++)
            strcat(text, pieces[random_below(&random, COUNT(pieces))]);
        snprintf(number, sizeof number, "1%llu%09llu",
                 (unsigned long long)(3 + random_below(&random, 7)),
                 (unsigned long long)random_below(&random, 1000000000));
        strcat(text, number);
        for (size_t i = 0; i < after; i++)
            strcat(text, pieces[random_below(&random, COUNT(pieces))]);
        struct buf out = {0};
        pii_mask_text(span_str(text), &out);
        if (span_find(buf_view(&out), span_str(number)) >= 0)
            fail_msg("'%s' came through in '%s'", number, text);
        buf_free(&out);
    }
}

static void property_other_text_is_copied(void **state)
{
    (void)state;
    struct random random = {7};
    for (int round = 0; round < 5000; round++) {
        char text[256];
        size_t len = 0;
        while (len < 240) {
            uint32_t cp = (uint32_t)random_below(&random, 0x3000) + 0x20;
            if ((cp >= '0' && cp <= '9') || cp == '@')
                continue;
            len += utf8_encode(cp, text + len);
        }
        struct buf out = {0};
        pii_mask_text(span_of(text, len), &out);
        assert_true(span_eq(buf_view(&out), span_of(text, len)));
        buf_free(&out);
    }
}

/* Work must stay linear: this text would take minutes otherwise. */
static void long_text(void **state)
{
    (void)state;
    enum { LEN = 400000 };
    static char text[LEN];
    static const char *const patterns[] = {"1", "1 ", "a.", "a@", "11 "};
    for (size_t p = 0; p < COUNT(patterns); p++) {
        for (size_t i = 0; i < LEN; i++)
            text[i] = patterns[p][i % strlen(patterns[p])];
        struct buf out = {0};
        pii_mask_text(span_of(text, LEN), &out);
        assert_true(buf_ok(&out));
        assert_int_equal(out.len, LEN);
        buf_free(&out);
    }
}

static void short_of_memory(void **state)
{
    (void)state;
    struct buf out = {.limit = 4};
    pii_mask_text(SPAN("电话13812345678"), &out);
    assert_false(buf_ok(&out));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phones),
        cmocka_unit_test(person_names),
        cmocka_unit_test(numbers_in_text),
        cmocka_unit_test(what_stays),
        cmocka_unit_test(property_no_number_comes_through),
        cmocka_unit_test(property_other_text_is_copied),
        cmocka_unit_test(long_text),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
