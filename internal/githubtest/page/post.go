package page

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxForm is more than the longest comment that GitHub takes, encoded.
const maxForm = 1 << 20

// postComment writes a comment as one of the configured accounts. A refused
// one comes back in the box with the reason.
func (s *site) postComment(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	// A form's lines end in CR LF, a comment's in LF.
	box := box{As: r.PostForm.Get("as"), Text: strings.ReplaceAll(r.PostForm.Get("body"), "\r\n", "\n")}
	if !s.writes(box.As) {
		http.Error(w, "nobody here is called "+strconv.Quote(box.As), http.StatusForbidden)
		return
	}
	if strings.TrimSpace(box.Text) == "" {
		box.Problem = "A comment cannot be blank."
		s.render(w, r, number, box)
		return
	}
	id, err := s.cfg.GitHub.Comment(repoOf(r), number, box.As, box.Text)
	if err != nil {
		box.Problem = "GitHub refused the comment: " + err.Error()
		s.render(w, r, number, box)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/%s/pull/%d#issuecomment-%d", repoOf(r), number, id), http.StatusSeeOther)
}

// writes reports whether a visitor may comment as an account.
func (s *site) writes(login string) bool {
	return slices.ContainsFunc(s.cfg.Writers, func(who Writer) bool { return who.Login == login })
}

func (s *site) postVariant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name := r.PostFormValue("variant")
	if !slices.ContainsFunc(s.cfg.Variants, func(v Variant) bool { return v.Name == name }) {
		http.Error(w, "there is no variant "+strconv.Quote(name), http.StatusBadRequest)
		return
	}
	if err := s.cfg.Switch(r.Context(), name); err != nil {
		s.log.Error("switch variant", "err", err)
		http.Error(w, "the variant could not be pushed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, s.pullPath()+"#variants", http.StatusSeeOther)
}
