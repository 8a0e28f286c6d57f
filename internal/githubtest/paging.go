package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// paging is the page of a list that a request asks for.
type paging struct{ page, size int }

// pageOf reads page and per_page: 30 by default and 100 at most, and what is no
// number counts as absent, as on GitHub.
func pageOf(q url.Values) paging {
	p := paging{page: 1, size: 30}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		p.page = n
	}
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		p.size = min(n, 100)
	}
	return p
}

// cut returns one page of a list, and the Link header to the others.
func cut[T any](s *Server, r *request, all []T) ([]T, http.Header) {
	p := pageOf(r.URL.Query())
	last := max(1, (len(all)+p.size-1)/p.size)
	var links []string
	link := func(page int, rel string) {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(page))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, s.apiURL(), r.URL.Path, q.Encode(), rel))
	}
	if p.page > 1 {
		link(min(p.page-1, last), "prev")
	}
	if p.page < last {
		link(p.page+1, "next")
		link(last, "last")
	}
	if p.page > 1 {
		link(1, "first")
	}
	h := http.Header{}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
	from := min((p.page-1)*p.size, len(all))
	return all[from:min(from+p.size, len(all))], h
}

// rendered maps rows to objects; an empty list is [] and never null.
func rendered[T any](rows []T, f func(T) obj) []obj {
	out := make([]obj, 0, len(rows))
	for _, row := range rows {
		out = append(out, f(row))
	}
	return out
}
