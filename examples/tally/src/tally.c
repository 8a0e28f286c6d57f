#include "tally.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *word;
    size_t count;
};

struct tally {
    struct entry *entries;
    size_t used;
    size_t room;
};

tally *tally_new(void)
{
    return calloc(1, sizeof(tally));
}

static struct entry *find(const tally *t, const char *word)
{
    for (size_t i = 0; i < t->used; i++) {
        if (strcmp(t->entries[i].word, word) == 0) {
            return &t->entries[i];
        }
    }
    return NULL;
}

/* grow makes room for one more entry. */
static int grow(tally *t)
{
    if (t->used < t->room) {
        return 1;
    }
    size_t room = t->room == 0 ? 8 : t->room * 2;
    struct entry *entries = realloc(t->entries, room * sizeof(*entries));
    if (entries == NULL) {
        return 0;
    }
    t->entries = entries;
    t->room = room;
    return 1;
}

size_t tally_add(tally *t, const char *word)
{
    struct entry *e = find(t, word);
    if (e != NULL) {
        return ++e->count;
    }
    size_t size = strlen(word) + 1;
    char *copy = malloc(size);
    if (copy == NULL || !grow(t)) {
        free(copy);
        return 0;
    }
    memcpy(copy, word, size);
    t->entries[t->used++] = (struct entry){ .word = copy, .count = 1 };
    return 1;
}

size_t tally_count(const tally *t, const char *word)
{
    const struct entry *e = find(t, word);
    return e == NULL ? 0 : e->count;
}

size_t tally_size(const tally *t)
{
    return t->used;
}

void tally_each(const tally *t, void (*fn)(const char *, size_t, void *), void *arg)
{
    for (size_t i = 0; i < t->used; i++) {
        fn(t->entries[i].word, t->entries[i].count, arg);
    }
}

void tally_free(tally *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->used; i++) {
        free(t->entries[i].word);
    }
    free(t->entries);
    free(t);
}
