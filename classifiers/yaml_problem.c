/*
 * What is wrong with a file, in plain words.
 *
 * What libyaml would let through or explain badly is looked for before it reads, in one pass over
 * the bytes: broken UTF-8, control characters, tabs as indentation. Its own complaints are put in
 * plain words by a table.
 */
#include "classifiers/yaml_private.h"
#include "engine/base/utf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

/* What libyaml says, and what we say. at_context: the place that helps is where the trouble began.
 */
static const struct {
    const char *theirs;
    bool at_context;
    const char *ours;
} problems[] = {
    {"found character that cannot start any token", false,
     "a text cannot begin with this character; put the text in quotes"},
    {"mapping values are not allowed in this context", false,
     "a \":\" cannot stand here; put a text that holds \": \" in quotes, or check the indentation"},
    {"mapping keys are not allowed in this context", false,
     "a key cannot stand here; check the indentation"},
    {"block sequence entries are not allowed in this context", false,
     "a list item (\"- \") cannot stand here; begin it on a line of its own"},
    {"could not find expected ':'", true,
     "this line is neither \"key: value\" nor a list item; write \": \" after the key"},
    {"found unexpected end of stream", true, "this quote is never closed; write the closing quote"},
    {"found unexpected document indicator", true,
     "this quote is never closed; write the closing quote"},
    {"found unknown escape character", false,
     "this \\ is not understood between double quotes; use 'single quotes' for regexes"},
    {"did not find expected hexdecimal number", false,
     "\\x and \\u need hexadecimal digits between double quotes; use 'single quotes' for regexes"},
    {"found invalid Unicode character escape code", false, "there is no such character"},
    {"did not find expected alphabetic or numeric character", true,
     "a text cannot begin with * or &; put the text in quotes"},
    {"did not find expected comment or line break", false,
     "nothing may follow | or > on its line; begin the text on the next line"},
    {"did not find expected key", false,
     "this line does not fit the lines above; check its indentation and the quotes before it"},
    {"did not find expected '-' indicator", false,
     "in a list every item begins with \"- \"; check this line's indentation"},
    {"did not find expected ',' or ']'", true,
     "this [ is never closed, or a \",\" is missing in it; write the \",\" or \"]\""},
    {"did not find expected ',' or '}'", true,
     "this { is never closed, or a \",\" is missing in it; write the \",\" or \"}\""},
    {"did not find expected node content", false,
     "a value is expected here; write one, or put it in quotes"},
    {"did not find expected <document start>", false,
     "nothing may stand here; check the indentation, or remove it"},
};

int yaml_fail(const char *name, int line, int column, struct err *err, enum err_code code,
              const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(err, code, "%s:%d:%d: %s", name, line, column, text);
}

struct span yaml_shown(struct span text)
{
    return utf8_prefix(text, 40);
}

int yaml_no_memory(const char *name, struct err *err)
{
    return err_set(err, ERR_NOMEM, "%s: out of memory while reading it", name);
}

/* The line of the text with this number (from 0), without its end. */
static struct span line_of(struct span text, size_t number)
{
    struct span line = span_cut(&text, '\n');
    while (number-- > 0)
        line = span_cut(&text, '\n');
    return line;
}

int yaml_parser_problem(const struct yaml_parser_s *parser, const char *name, struct span text,
                        struct err *err)
{
    const char *problem = parser->problem == NULL ? "unknown" : parser->problem;
    if (parser->error == YAML_MEMORY_ERROR)
        return yaml_no_memory(name, err);
    yaml_mark_t mark = parser->problem_mark;
    const char *ours = NULL;
    for (size_t i = 0; i < sizeof problems / sizeof *problems && ours == NULL; i++) {
        if (strcmp(problem, problems[i].theirs) != 0)
            continue;
        ours = problems[i].ours;
        if (problems[i].at_context && parser->context != NULL)
            mark = parser->context_mark;
    }
    bool wide = span_find(line_of(text, mark.line), SPAN("：")) >= 0;
    int line = (int)mark.line + 1;
    int column = (int)mark.column + 1;
    if (ours == NULL)
        return yaml_fail(name, line, column, err, ERR_SYNTAX, "this cannot be read as YAML (%s)",
                         problem);
    return yaml_fail(name, line, column, err, ERR_SYNTAX, "%s%s", ours,
                     wide ? "; this line has a full-width \"：\", which is not \": \"" : "");
}

/* The character that begins at s.ptr, when YAML does not allow it; else 0. s is valid UTF-8. */
static uint32_t forbidden(struct span s)
{
    unsigned char c = (unsigned char)s.ptr[0];
    bool suspect = c < 0x20 || c == 0x7F || c == 0xC2 || c == 0xEF;
    if (!suspect || c == '\t' || c == '\n' || c == '\r')
        return 0;
    uint32_t cp = 0;
    utf8_decode(s, &cp);
    bool control = cp < 0xA0 && cp != 0x85;
    return control || cp == 0xFEFF || cp == 0xFFFE || cp == 0xFFFF ? cp : 0;
}

int yaml_check_bytes(struct span text, const char *name, struct err *err)
{
    size_t valid = utf8_valid_prefix(text);
    int line = 1;
    int column = 1;
    bool indent = true;
    bool after_cr = false;
    for (size_t i = 0; i < valid; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool line_end = c == '\n' || c == '\r';
        if (indent && c == '\t')
            return yaml_fail(name, line, column, err, ERR_SYNTAX,
                             "a tab cannot be used for indentation; use spaces");
        indent = line_end || (indent && c == ' ');
        uint32_t cp = forbidden(span_sub(text, i, text.len));
        if (cp != 0 || c == '\0')
            return yaml_fail(name, line, column, err, ERR_SYNTAX,
                             "an invisible control character (%02X); remove it", (unsigned)cp);
        if (line_end) {
            line += !(c == '\n' && after_cr);
            column = 1;
        } else if ((c & 0xC0) != 0x80) {
            column++;
        }
        after_cr = c == '\r';
    }
    if (valid < text.len)
        return yaml_fail(name, line, column, err, ERR_SYNTAX,
                         "not valid UTF-8; save the file as UTF-8");
    return 0;
}
