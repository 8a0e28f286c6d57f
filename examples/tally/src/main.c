/* tally reads words, one a line, and prints how often each came. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"

static void print(const char *word, size_t count, void *arg)
{
    fprintf(arg, "%zu %s\n", count, word);
}

int main(void)
{
    char line[256];
    tally *t = tally_new();

    if (t == NULL) {
        return 2;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && tally_add(t, line) == 0) {
            tally_free(t);
            return 2;
        }
    }
    tally_each(t, print, stdout);
    tally_free(t);
    return 0;
}
