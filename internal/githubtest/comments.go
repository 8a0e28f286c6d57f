package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxComment is how long a comment may be, in characters.
const maxComment = 65536

// Comment is a comment on a pull request.
type Comment struct {
	ID        int64      `json:"id"`
	Repo      int64      `json:"repo"`
	Pull      int64      `json:"pull"`
	Author    string     `json:"author"` // login
	App       bool       `json:"app"`    // written by the App
	Body      string     `json:"body"`
	Reactions []Reaction `json:"reactions"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// Reaction is one account's reaction to a comment.
type Reaction struct {
	ID      int64     `json:"id"`
	Login   string    `json:"login"`
	Content string    `json:"content"` // eyes, confused, …
	At      time.Time `json:"at"`
}

// reactionContents are all that GitHub knows.
var reactionContents = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

// Comment writes a comment as a user and returns its id.
func (s *Server) Comment(repo string, number int, login, body string) (int64, error) {
	var id int64
	err := s.update(func(st *state, x *tx) error {
		p, err := st.pullOf(repo, number)
		if err != nil {
			return err
		}
		u, found := st.user(login)
		if !found {
			return fmt.Errorf("no user %s", login)
		}
		if err := checkComment(body); err != nil {
			return err
		}
		c, err := s.addComment(x, p, Comment{Author: u.Login, Body: body})
		id = c.ID
		return err
	})
	return id, err
}

// EditComment changes a comment's text on behalf of a user.
func (s *Server) EditComment(id int64, login, body string) error {
	if err := checkComment(body); err != nil {
		return err
	}
	return s.update(func(st *state, x *tx) error {
		c, found := st.comments.get(id)
		if !found {
			return notFound()
		}
		return s.changeComment(x, c, body, login)
	})
}

// DeleteComment removes a comment on behalf of a user.
func (s *Server) DeleteComment(id int64, login string) error {
	return s.update(func(st *state, x *tx) error {
		c, found := st.comments.get(id)
		if !found {
			return notFound()
		}
		st.comments.remove(x, id)
		return s.emitComment(x, c, note{action: "deleted", sender: login})
	})
}

func checkComment(body string) error {
	if strings.TrimSpace(body) == "" {
		return invalid("IssueComment", "body", "cannot be blank")
	}
	if utf8.RuneCountInString(body) > maxComment {
		return invalid("IssueComment", "body", fmt.Sprintf("is too long (maximum is %d characters)", maxComment))
	}
	return nil
}

// addComment puts a new comment with its webhook.
func (s *Server) addComment(x *tx, p Pull, c Comment) (Comment, error) {
	c.ID, c.Repo, c.Pull = x.st.newID(), p.Repo, p.ID
	c.CreatedAt, c.UpdatedAt = s.now(), s.now()
	x.st.comments.put(x, c.ID, c)
	return c, s.emitComment(x, c, note{action: "created", sender: c.Author})
}

// changeComment puts a comment's new text with its webhook; the same text again
// is no change.
func (s *Server) changeComment(x *tx, c Comment, body, login string) error {
	if c.Body == body {
		return nil
	}
	before := c.Body
	c.Body, c.UpdatedAt = body, s.now()
	x.st.comments.put(x, c.ID, c)
	return s.emitComment(x, c, note{action: "edited", sender: login, more: obj{"changes": obj{"body": obj{"from": before}}}})
}

func (s *Server) listComments(r *request) (reply, error) {
	since, err := sinceOf(r)
	if err != nil {
		return reply{}, err
	}
	var rep reply
	err = s.viewPull(r, func(v view, p Pull) {
		all := v.st.comments.filter(func(c Comment) bool { return c.Pull == p.ID && !c.UpdatedAt.Before(since) })
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, body: rendered(page, v.comment), header: header}
	})
	return rep, err
}

func sinceOf(r *request) (time.Time, error) {
	raw := r.URL.Query().Get("since")
	if raw == "" {
		return time.Time{}, nil
	}
	since, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		return since, refuse(http.StatusUnprocessableEntity, "Invalid since: %q is no RFC 3339 time", raw)
	}
	return since, nil
}

// commentBody is the body of creating and of updating a comment.
type commentBody struct {
	Body *string `json:"body"`
}

func (r *request) commentBody() (string, error) {
	var b commentBody
	if err := r.decode(&b); err != nil {
		return "", err
	}
	if b.Body == nil {
		return "", refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"body\" wasn't supplied.")
	}
	return *b.Body, checkComment(*b.Body)
}

func (s *Server) createComment(r *request) (reply, error) {
	number, err := r.id("number")
	if err != nil {
		return reply{}, err
	}
	text, err := r.commentBody()
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.update(func(st *state, x *tx) error {
		p, found := st.pull(r.repo.ID, int(number))
		if !found {
			return notFound()
		}
		c, err := s.addComment(x, p, Comment{Author: s.botLogin(), App: true, Body: text})
		body = s.render(st).comment(c)
		return err
	})
	return reply{status: http.StatusCreated, body: body}, err
}

// commentOf finds the comment of the repository that a request names.
func (st *state) commentOf(r *request) (Comment, error) {
	id, err := r.id("comment")
	if err != nil {
		return Comment{}, err
	}
	c, found := st.comments.get(id)
	if !found || c.Repo != r.repo.ID {
		return c, notFound()
	}
	return c, nil
}

func (s *Server) getComment(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		c, err := st.commentOf(r)
		body = s.render(st).comment(c)
		return err
	})
	return ok(body), err
}

func (s *Server) updateComment(r *request) (reply, error) {
	text, err := r.commentBody()
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.update(func(st *state, x *tx) error {
		c, err := st.commentOf(r)
		if err != nil {
			return err
		}
		if !c.App {
			return refuse(http.StatusForbidden, "Resource not accessible by integration")
		}
		if err := s.changeComment(x, c, text, s.botLogin()); err != nil {
			return err
		}
		c, _ = st.comments.get(c.ID)
		body = s.render(st).comment(c)
		return nil
	})
	return ok(body), err
}

func (s *Server) removeComment(r *request) (reply, error) {
	err := s.update(func(st *state, x *tx) error {
		c, err := st.commentOf(r)
		if err != nil {
			return err
		}
		if !c.App {
			return refuse(http.StatusForbidden, "Resource not accessible by integration")
		}
		st.comments.remove(x, c.ID)
		return s.emitComment(x, c, note{action: "deleted", sender: s.botLogin()})
	})
	return reply{status: http.StatusNoContent}, err
}

func (s *Server) listReactions(r *request) (reply, error) {
	var rep reply
	err := s.view(func(st *state) error {
		c, err := st.commentOf(r)
		if err != nil {
			return err
		}
		want := r.URL.Query().Get("content")
		all := slices.DeleteFunc(slices.Clone(c.Reactions), func(re Reaction) bool { return want != "" && re.Content != want })
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, body: rendered(page, s.render(st).reaction), header: header}
		return nil
	})
	return rep, err
}

func (s *Server) createReaction(r *request) (reply, error) {
	return s.react(r, func(st *state, x *tx, add func(Comment) (Comment, bool)) error {
		c, err := st.commentOf(r)
		if err != nil {
			return err
		}
		if c, fresh := add(c); fresh {
			st.comments.put(x, c.ID, c)
		}
		return nil
	})
}

// react adds the App's reaction to what change finds; one that is there already is
// answered with 200 instead of 201.
func (s *Server) react(r *request, change func(st *state, x *tx, add func(Comment) (Comment, bool)) error) (reply, error) {
	var want struct {
		Content string `json:"content"`
	}
	if err := r.decode(&want); err != nil {
		return reply{}, err
	}
	if !slices.Contains(reactionContents, want.Content) {
		return reply{}, invalid("Reaction", "content", "is not included in the list")
	}
	rep := reply{status: http.StatusCreated}
	err := s.update(func(st *state, x *tx) error {
		return change(st, x, func(c Comment) (Comment, bool) {
			for _, re := range c.Reactions {
				if re.Content == want.Content && re.Login == s.botLogin() {
					rep = ok(s.render(st).reaction(re))
					return c, false
				}
			}
			re := Reaction{ID: st.newID(), Login: s.botLogin(), Content: want.Content, At: s.now()}
			c.Reactions = append(slices.Clone(c.Reactions), re)
			rep.body = s.render(st).reaction(re)
			return c, true
		})
	})
	return rep, err
}

// Counts returns how many reactions of each content there are.
func (c Comment) Counts() map[string]int {
	counts := make(map[string]int)
	for _, re := range c.Reactions {
		counts[re.Content]++
	}
	return counts
}
