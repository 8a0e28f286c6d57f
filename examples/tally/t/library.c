/* The library's own tests, in TAP. */

#include <stdio.h>

#include "tally.h"

static int number;
static int failed;

static void ok(int good, const char *name)
{
    number++;
    if (!good) {
        failed++;
        fprintf(stderr, "#   Failed test '%s'\n", name);
    }
    printf("%s %d - %s\n", good ? "ok" : "not ok", number, name);
    fflush(stdout);
}

int main(void)
{
    tally *t = tally_new();

    printf("1..7\n");
    ok(t != NULL, "a tally is made");
    ok(tally_size(t) == 0, "it starts empty");
    ok(tally_count(t, "one") == 0, "a word never added counts nothing");
    ok(tally_add(t, "one") == 1, "the first time counts one");
    ok(tally_add(t, "one") == 2, "the second time counts two");

    for (int i = 0; i < 100; i++) {
        char word[16];
        snprintf(word, sizeof(word), "word %d", i);
        tally_add(t, word);
    }
    ok(tally_size(t) == 101, "it grows");
    ok(tally_count(t, "one") == 2, "what was there stays");

    tally_free(t);
    tally_free(NULL);
    return failed > 0;
}
