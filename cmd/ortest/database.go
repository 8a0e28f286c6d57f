package main

import (
	"net/url"
	"os"
	"path/filepath"

	"github.com/ortest/ortest/store"
)

// databaseIn is where a server whose data are in a directory keeps what must
// survive. A URL instead of a directory is that of a PostgreSQL database.
func databaseIn(data string) string {
	if store.IsURL(data) {
		return data
	}
	return filepath.Join(data, "ortest.db")
}

// isThere errs when a database is a file that does not exist.
func isThere(database string) error {
	if store.IsURL(database) {
		return nil
	}
	_, err := os.Stat(database)
	return err
}

// shownDatabase is a database as people may see it: a URL has room for passwords in
// two places, its user and its query.
func shownDatabase(database string) string {
	if !store.IsURL(database) {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		return "PostgreSQL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
