/* The tree, every error with its exact place, the typed getters, and the bounds. */
#include "classifiers/yaml.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct yaml_doc *parse(const char *text)
{
    struct err err;
    struct yaml_doc *doc = yaml_parse(span_str(text), "rules/a.yaml", &err);
    if (doc == NULL)
        fail_msg("%s", err.text);
    return doc;
}

static void assert_text(const struct yaml_node *node, const char *text, int line, int column)
{
    assert_non_null(node);
    assert_int_equal(yaml_kind(node), YAML_SCALAR);
    assert_true(span_eq(yaml_text(node), span_str(text)));
    assert_int_equal(yaml_line(node), line);
    assert_int_equal(yaml_column(node), column);
    assert_int_equal(yaml_size(node), 0);
}

static void reads_a_tree(void **state)
{
    (void)state;
    struct yaml_doc *doc = parse("---\n"
                                 "# 注释\n"
                                 "类别: 城乡建设\n"
                                 "关键词:\n"
                                 "  - 漏水 # 常见\n"
                                 "  - \"水: 管\\t\"\n"
                                 "  - '电''梯'\n"
                                 "空:\n"
                                 "权重: {漏水: 1.5, 停电: ~}\n"
                                 "长文: |\n"
                                 "  第一行\n"
                                 "  第二行\n");
    const struct yaml_node *root = yaml_root(doc);
    assert_string_equal(yaml_file(doc), "rules/a.yaml");
    assert_int_equal(yaml_kind(root), YAML_MAP);
    assert_int_equal(yaml_size(root), 5);
    assert_int_equal(yaml_line(root), 3);
    assert_text(yaml_key_at(root, 0), "类别", 3, 1);
    assert_text(yaml_at(root, 0), "城乡建设", 3, 5);
    assert_text(yaml_find(root, "类别"), "城乡建设", 3, 5);
    const struct yaml_node *list = yaml_find(root, "关键词");
    assert_int_equal(yaml_kind(list), YAML_LIST);
    assert_int_equal(yaml_size(list), 3);
    assert_text(yaml_at(list, 0), "漏水", 5, 5);
    assert_text(yaml_at(list, 1), "水: 管\t", 6, 5);
    assert_text(yaml_at(list, 2), "电'梯", 7, 5);
    assert_text(yaml_find(root, "空"), "", 8, 3);
    const struct yaml_node *map = yaml_find(root, "权重");
    assert_text(yaml_find(map, "停电"), "~", 9, 19);
    assert_text(yaml_key_at(map, 1), "停电", 9, 15);
    assert_true(span_eq(yaml_text(yaml_find(root, "长文")), SPAN("第一行\n第二行\n")));
    assert_null(yaml_find(root, "无"));
    assert_null(yaml_find(list, "无"));
    assert_null(yaml_find(yaml_at(list, 0), "无"));
    assert_int_equal(yaml_text(root).len, 0);
    yaml_free(&doc);
    assert_null(doc);
    yaml_free(&doc);
}

static void reads_other_forms(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xEF\xBB\xBF- a\n",
        "a: 1\r\nb: 2\r\n",
        "a: 1",
        "[]",
        "{}",
        "漏水",
        "- a\n- - b\n  - c\n",
        "a: \"x\\\n  y\"\n",
        "? a\n: b\n",
        "a: 1\n...\n",
        "a:  \t1\n",
        "a: 1\n  \n",
        "---\na: 1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct yaml_doc *doc = parse(texts[i]);
        yaml_free(&doc);
    }
}

static void finds_every_key_of_a_large_map(void **state)
{
    (void)state;
    struct buf text = {.limit = 0};
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "k%d: %d\n", i * 7919 % 5000, i);
    struct err err;
    struct yaml_doc *doc = yaml_parse(buf_view(&text), "large", &err);
    assert_non_null(doc);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        char value[16];
        snprintf(key, sizeof key, "k%d", i * 7919 % 5000);
        snprintf(value, sizeof value, "%d", i);
        assert_text(yaml_find(yaml_root(doc), key), value, i + 1, (int)strlen(key) + 3);
        assert_ptr_equal(yaml_at(yaml_root(doc), (size_t)i), yaml_find(yaml_root(doc), key));
    }
    yaml_free(&doc);
    buf_free(&text);
}

static void refuses_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "f:1:1: the file is empty"},
        {"# nur\n", "f:1:1: the file is empty"},
        {"a: 1\n类: \xFF\n", "f:2:4: not valid UTF-8; save the file as UTF-8"},
        {"a: 1\n\tb: 2\n", "f:2:1: a tab cannot be used for indentation; use spaces"},
        {"a:\n  \tb: 2\n", "f:2:3: a tab cannot be used for indentation; use spaces"},
        {"a: 1\n水\x01: 2\n", "f:2:2: an invisible control character (01); remove it"},
        {"a: 1\r\nb: \x7F\r\n", "f:2:4: an invisible control character (7F); remove it"},
        {"a: 水\xC2\x80\n", "f:1:5: an invisible control character (80); remove it"},
        {"a: 水\xEF\xBB\xBF\n", "f:1:5: an invisible control character (FEFF); remove it"},
        {"a: 水\xEF\xBF\xBF\n", "f:1:5: an invisible control character (FFFF); remove it"},
        {"a: 1\rb: \x02", "f:2:4: an invisible control character (02); remove it"},
        {"类: 1\nb: 2\n类: 3\n",
         "f:3:1: the key \"类\" stands already at line 1, column 1; keep one of them"},
        {"x:\n  - {b: 1, a: 2, b: 3, a: 4}\n",
         "f:2:18: the key \"b\" stands already at line 2, column 6; keep one of them"},
        {"a: &n 1\n", "f:1:4: an anchor (&name) is not allowed; put a text that begins with & in "
                      "quotes"},
        {"a: &n [1]\n", "f:1:4: an anchor (&name) is not allowed; put a text that begins with & in "
                        "quotes"},
        {"a: &n\n  b: 1\n", "f:1:4: an anchor (&name) is not allowed; put a text that begins with "
                            "& in quotes"},
        {"a: *n\n", "f:1:4: an alias (*name) is not allowed; put a text that begins with * in "
                    "quotes"},
        {"- *\n", "f:1:3: a text cannot begin with * or &; put the text in quotes"},
        {"a: !int 1\n",
         "f:1:4: a tag (!name) is not allowed; put a text that begins with ! in quotes"},
        {"a: !!seq [1]\n",
         "f:1:4: a tag (!name) is not allowed; put a text that begins with ! in quotes"},
        {"! {a: 1}\n", "f:1:1: a tag (!name) is not allowed; put a text that begins with ! in "
                       "quotes"},
        {"%YAML 1.1\n---\na: 1\n",
         "f:1:1: directives (%YAML, %TAG) are not allowed; remove the line"},
        {"%TAG ! x:\n---\na: 1\n",
         "f:1:1: directives (%YAML, %TAG) are not allowed; remove the line"},
        {"a: 1\n---\nb: 2\n",
         "f:2:1: a second document begins here; a file holds one, so remove this \"---\""},
        {"[a, b]: 1\n",
         "f:1:1: a key must be a plain text; put it in quotes when it holds [ ] { }"},
        {"? {a: 1}\n: 1\n",
         "f:1:3: a key must be a plain text; put it in quotes when it holds [ ] { }"},
        {"\"\": 1\n", "f:1:1: a key is missing before this \":\""},
        {"a: 1\n \t\n", "f:2:2: a tab cannot be used for indentation; use spaces"},
        {"a: \"x\\0y\"\n", "f:1:4: a text cannot hold \\0; remove it"},
        {"a: @x\n", "f:1:4: a text cannot begin with this character; put the text in quotes"},
        {"a: `x\n", "f:1:4: a text cannot begin with this character; put the text in quotes"},
        {"a: b: c\n",
         "f:1:5: a \":\" cannot stand here; put a text that holds \": \" in quotes, or "
         "check the indentation"},
        {"a: - b\n",
         "f:1:4: a list item (\"- \") cannot stand here; begin it on a line of its own"},
        {"类别: 甲\n部门：乙\n名: 丙\n",
         "f:2:1: this line is neither \"key: value\" nor a list item; write \": \" after the key; "
         "this line has a full-width \"：\", which is not \": \""},
        {"a: 1\nb\nc: 2\n",
         "f:2:1: this line is neither \"key: value\" nor a list item; write \": \" after the key"},
        {"a: 1\nb: \"水\nc: 2\n", "f:2:4: this quote is never closed; write the closing quote"},
        {"a: '水\n", "f:1:4: this quote is never closed; write the closing quote"},
        {"a: '水\n---\n", "f:1:4: this quote is never closed; write the closing quote"},
        {"a: \"\\d\"\n",
         "f:1:5: this \\ is not understood between double quotes; use 'single quotes' for regexes"},
        {"a: \"\\xzz\"\n", "f:1:7: \\x and \\u need hexadecimal digits between double quotes; use "
                           "'single quotes' for regexes"},
        {"a: \"\\ud800\"\n", "f:1:7: there is no such character"},
        {"a: | x\n  y\n",
         "f:1:6: nothing may follow | or > on its line; begin the text on the next "
         "line"},
        {"a:\n  b: 1\n c: 2\n", "f:3:2: this line does not fit the lines above; check its "
                                "indentation and the quotes before it"},
        {"a: \"x\" y\n", "f:1:8: this line does not fit the lines above; check its indentation and "
                         "the quotes before it"},
        {"- a\nb: 1\n",
         "f:2:1: in a list every item begins with \"- \"; check this line's indentation"},
        {"a: [b, c\nd: 1\n",
         "f:1:4: this [ is never closed, or a \",\" is missing in it; write the \",\" or \"]\""},
        {"a: {b: 1\n",
         "f:1:4: this { is never closed, or a \",\" is missing in it; write the \",\" or \"}\""},
        {"a: [,]\n", "f:1:5: a value is expected here; write one, or put it in quotes"},
        {"a\nb: 1\n",
         "f:2:2: a \":\" cannot stand here; put a text that holds \": \" in quotes, or "
         "check the indentation"},
        {"[a]\n]\n", "f:2:1: nothing may stand here; check the indentation, or remove it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.code = ERR_NONE};
        struct yaml_doc *doc = yaml_parse(span_str(cases[i].text), "f", &err);
        if (doc != NULL)
            fail_msg("%s was read", cases[i].text);
        assert_string_equal(err.text, cases[i].message);
        assert_int_equal(err.code, ERR_SYNTAX);
    }
}

static void refuse(const struct buf *text, enum err_code code, const char *message)
{
    struct err err = {.code = ERR_NONE};
    assert_true(buf_ok(text));
    assert_null(yaml_parse(buf_view(text), "f", &err));
    assert_string_equal(err.text, message);
    assert_int_equal(err.code, code);
}

static void is_bounded(void **state)
{
    (void)state;
    char message[128];
    struct buf text = {.limit = 0};
    for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
        buf_char(&text, '[');
    for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
        buf_char(&text, ']');
    struct yaml_doc *doc = yaml_parse(buf_view(&text), "f", NULL);
    assert_non_null(doc);
    yaml_free(&doc);

    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_char(&text, '[');
    snprintf(message, sizeof message, "f:1:%d: more than %d lists and maps inside each other",
             LIMIT_YAML_DEPTH + 1, LIMIT_YAML_DEPTH);
    refuse(&text, ERR_LIMIT, message);

    buf_clear(&text);
    for (int i = 0; i < LIMIT_YAML_NODES; i++)
        buf_str(&text, i == 0 ? "[a" : i % 1000 == 0 ? ",\na" : ",a");
    snprintf(message, sizeof message, "f:%d:1999: more than %d values in one file; split it",
             LIMIT_YAML_NODES / 1000, LIMIT_YAML_NODES);
    /* The list itself is a value too, so the last element is one too many. */
    refuse(&text, ERR_LIMIT, message);

    buf_clear(&text);
    while (text.len <= LIMIT_RULE_FILE_BYTES)
        buf_str(&text, "# 注释\n");
    snprintf(message, sizeof message, "f:1:1: the file has more than %d bytes; split it",
             LIMIT_RULE_FILE_BYTES);
    refuse(&text, ERR_LIMIT, message);
    buf_free(&text);
}

static const char *const known[] = {"名", "数", "是", "重", "表", NULL};

static void getters_give_values(void **state)
{
    (void)state;
    struct yaml_doc *doc = parse("名: 甲\n数: -12\n是: yes\n重: 1.5e1\n表: [a]\n");
    const struct yaml_node *root = yaml_root(doc);
    struct err err;
    struct span name = SPAN("?");
    int64_t number = 0;
    bool yes = false;
    double weight = 0;
    assert_int_equal(yaml_expect_map(doc, root, known, &err), 0);
    assert_int_equal(yaml_expect_list(doc, yaml_find(root, "表"), &err), 0);
    assert_int_equal(yaml_get_string(doc, root, "名", true, &name, &err), 0);
    assert_true(span_eq(name, SPAN("甲")));
    assert_int_equal(yaml_get_int(doc, root, "数", true, -12, 0, &number, &err), 0);
    assert_int_equal(number, -12);
    assert_int_equal(yaml_get_bool(doc, root, "是", true, &yes, &err), 0);
    assert_true(yes);
    assert_int_equal(yaml_get_number(doc, root, "重", true, 0, 15, &weight, &err), 0);
    assert_true(weight >= 15 && weight <= 15);
    /* What is absent and may be. */
    assert_int_equal(yaml_get_string(doc, root, "无", false, &name, &err), 0);
    assert_int_equal(name.len, 0);
    assert_int_equal(yaml_get_int(doc, root, "无", false, 0, 1, &number, &err), 0);
    assert_int_equal(yaml_get_bool(doc, root, "无", false, &yes, &err), 0);
    assert_int_equal(yaml_get_number(doc, root, "无", false, 0, 1, &weight, &err), 0);
    assert_int_equal(number, -12);
    assert_true(yes);
    assert_true(weight >= 15 && weight <= 15);
    yaml_free(&doc);
}

static void getters_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char getter; /* m, l: expect; s, i, b, n: get "k" */
        const char *message;
    } cases[] = {
        {"x: 1\n", 'm',
         "f:1:1: the key \"x\" is not known here; the known keys are: 名, 数, 是, 重, 表"},
        {"- 名: 1\n", 'm', "f:1:1: lines of \"key: value\" are expected here, not a list"},
        {"名：1\n", 'm',
         "f:1:1: lines of \"key: value\" are expected here, not a text; a full-width "
         "\"：\" is not \": \""},
        {"名:1\n", 'm',
         "f:1:1: lines of \"key: value\" are expected here, not a text; write a space "
         "after the \":\""},
        {"名\n", 'm', "f:1:1: lines of \"key: value\" are expected here, not a text"},
        {"''\n", 'm', "f:1:1: lines of \"key: value\" are expected here, not nothing"},
        {"a: 1\n", 'l',
         "f:1:1: a list is expected here, not a map of keys; write lines that begin "
         "with \"- \", or [a, b]"},
        {"a: 1\n", 's', "f:1:1: the key \"k\" is missing here; add \"k: ...\""},
        {"a: 1\nk:\n", 's', "f:2:3: \"k\" must be a text, not nothing"},
        {"k: [1]\n", 's', "f:1:4: \"k\" must be a text, not a list"},
        {"k: {a: 1}\n", 'i', "f:1:4: \"k\" must be a whole number, not a map of keys"},
        {"k: 1.0\n", 'i', "f:1:4: \"k\" must be a whole number from 1 to 9, not \"1.0\""},
        {"k: 10\n", 'i', "f:1:4: \"k\" must be a whole number from 1 to 9, not \"10\""},
        {"k: -1\n", 'i', "f:1:4: \"k\" must be a whole number from 1 to 9, not \"-1\""},
        {"k: 99999999999999999999\n", 'i',
         "f:1:4: \"k\" must be a whole number from 1 to 9, not \"99999999999999999999\""},
        {"k: 一\n", 'i', "f:1:4: \"k\" must be a whole number from 1 to 9, not \"一\""},
        {"k: on\n", 'b', "f:1:4: \"k\" must be yes or no (or true or false), not \"on\""},
        {"k: []\n", 'b', "f:1:4: \"k\" must be yes or no, not a list"},
        {"k: x\n", 'n', "f:1:4: \"k\" must be a number from 0.5 to 2, not \"x\""},
        {"k: nan\n", 'n', "f:1:4: \"k\" must be a number from 0.5 to 2, not \"nan\""},
        {"k: 0.4\n", 'n', "f:1:4: \"k\" must be a number from 0.5 to 2, not \"0.4\""},
        {"k: 甲甲甲甲甲甲甲甲甲甲乙乙乙乙乙乙乙乙乙乙丙丙丙丙丙丙丙丙丙丙丁丁丁丁丁丁丁丁丁丁戊\n",
         'n',
         "f:1:4: \"k\" must be a number from 0.5 to 2, not "
         "\"甲甲甲甲甲甲甲甲甲甲乙乙乙乙乙乙乙乙乙乙丙丙丙丙丙丙丙丙丙丙丁丁丁丁丁丁丁丁丁丁\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.code = ERR_NONE};
        struct yaml_doc *doc = yaml_parse(span_str(cases[i].text), "f", &err);
        assert_non_null(doc);
        const struct yaml_node *root = yaml_root(doc);
        struct span s;
        int64_t n;
        bool b;
        double d;
        int done = cases[i].getter == 'm'   ? yaml_expect_map(doc, root, known, &err)
                   : cases[i].getter == 'l' ? yaml_expect_list(doc, root, &err)
                   : cases[i].getter == 's' ? yaml_get_string(doc, root, "k", true, &s, &err)
                   : cases[i].getter == 'i' ? yaml_get_int(doc, root, "k", true, 1, 9, &n, &err)
                   : cases[i].getter == 'b'
                       ? yaml_get_bool(doc, root, "k", true, &b, &err)
                       : yaml_get_number(doc, root, "k", true, 0.5, 2, &d, &err);
        assert_int_equal(done, -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.text, cases[i].message);
        yaml_free(&doc);
    }
}

static void loads_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/jiesu-yaml-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: \xE6\xB0\xB4\n", 7), 7);
    struct err err;
    struct yaml_doc *doc = yaml_load(path, &err);
    assert_non_null(doc);
    assert_text(yaml_find(yaml_root(doc), "a"), "水", 1, 4);
    yaml_free(&doc);
    assert_int_equal(ftruncate(fd, LIMIT_RULE_FILE_BYTES + 100), 0);
    assert_null(yaml_load(path, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    close(fd);
    unlink(path);
    assert_null(yaml_load(path, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, path));
    assert_null(yaml_load("/tmp", &err));
    assert_int_equal(err.code, ERR_IO);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct buf text = {.limit = 0};
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "类%d: {a: [1, 2], b: 一段文字}\n", i);
    struct yaml_doc *doc = NULL;
    uint64_t n = 0;
    while (doc == NULL) {
        struct err err = {.code = ERR_NONE};
        mem_fail_at(++n);
        doc = yaml_parse(buf_view(&text), "f", &err);
        mem_fail_at(0);
        if (doc == NULL)
            assert_int_equal(err.code, ERR_NOMEM);
    }
    assert_true(n > 5);
    yaml_free(&doc);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree),
        cmocka_unit_test(reads_other_forms),
        cmocka_unit_test(finds_every_key_of_a_large_map),
        cmocka_unit_test(refuses_as_the_table_says),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(getters_give_values),
        cmocka_unit_test(getters_say_what_is_wrong),
        cmocka_unit_test(loads_a_file),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
