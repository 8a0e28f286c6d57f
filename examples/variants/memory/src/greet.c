/* The native part of hello, called from Lua through LuaJIT's ffi. */

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* greet_words counts the words of text; tabs and blanks divide them.
 * The text needs no terminator. It returns -1 when memory is short. */
long greet_words(const char *text, size_t len)
{
    long words = 0;
    char *line = malloc(len > 0 ? len : 1);

    if (line == NULL) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        line[i] = text[i] == '\t' ? ' ' : text[i];
    }
    for (size_t i = 0; i < len; i++) {
        bool last = line[i + 1] == ' ' || i + 1 == len;
        if (last && line[i] != ' ') {
            words++;
        }
    }
    free(line);
    return words;
}

/* greet_shout writes text in upper case to out, which holds len bytes. */
void greet_shout(const char *text, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)toupper((unsigned char)text[i]);
    }
}

/* greet_reverse writes the bytes of text backwards to out, which holds len
 * bytes. It knows no characters longer than one byte. */
void greet_reverse(const char *text, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = text[len - 1 - i];
    }
}
