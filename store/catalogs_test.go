package store

import (
	"errors"
	"testing"

	"github.com/ortest/ortest/bot"
)

func TestTheFirstCatalogOfARevisionStays(t *testing.T) { onBoth(t, testCatalogs) }

func testCatalogs(t *testing.T, db database) {
	s := db.fresh(t)
	if _, err := s.Catalog(t.Context(), "0011223344556677"); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("of an unknown one: %v", err)
	}
	for _, packed := range []string{"first", "second"} {
		if err := s.PutCatalog(t.Context(), "0011223344556677", []byte(packed)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Catalog(t.Context(), "0011223344556677"); string(got) != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
