package githubtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is what GitHub takes of a request.
const maxBody = 25 << 20

// request is one call with what its credentials opened.
type request struct {
	*http.Request
	repo    Repository   // of {owner}/{repo}
	install installation // of the token
	token   token
}

type handle func(*request) (reply, error)

// route is one operation. need is the permission, "metadata:read" style, of
// which one of several alternatives is enough; "app" asks for the App's own
// token, "token" for any installation's.
type route struct {
	pattern string
	need    string
	handle  handle
}

// operations is the table of what is served and what each operation needs.
func (s *Server) operations() []route {
	const talk = "issues:write|pull_requests:write"
	return []route{
		{"GET /app", "app", s.getApp},
		{"GET /app/installations", "app", s.listInstallations},
		{"GET /app/installations/{installation}", "app", s.getInstallation},
		{"POST /app/installations/{installation}/access_tokens", "app", s.createToken},
		{"GET /app/hook/config", "app", s.getHookConfig},
		{"GET /app/hook/deliveries", "app", s.listDeliveries},
		{"GET /app/hook/deliveries/{delivery}", "app", s.getDelivery},
		{"POST /app/hook/deliveries/{delivery}/attempts", "app", s.redeliver},
		{"GET /repos/{owner}/{repo}/installation", "app", s.getRepoInstallation},
		{"GET /installation/repositories", "token", s.listInstallationRepos},
		{"GET /rate_limit", "token", s.getRateLimit},

		{"GET /orgs/{org}/teams/{team}/memberships/{login}", "token", s.getMembership},

		{"GET /repos/{owner}/{repo}", "metadata:read", s.getRepo},
		{"GET /repos/{owner}/{repo}/collaborators/{login}/permission", "metadata:read", s.getPermission},
		{"GET /repos/{owner}/{repo}/contents/{path...}", "contents:read", s.getContents},
		{"PUT /repos/{owner}/{repo}/contents/{path...}", "contents:write", s.putContents},
		{"GET /repos/{owner}/{repo}/git/ref/{ref...}", "contents:read", s.getRef},
		{"POST /repos/{owner}/{repo}/git/refs", "contents:write", s.createRef},
		{"GET /repos/{owner}/{repo}/branches", "contents:read", s.listBranches},
		{"GET /repos/{owner}/{repo}/tags", "contents:read", s.listTags},
		{"GET /repos/{owner}/{repo}/branches/{branch...}", "contents:read", s.getBranch},
		{"GET /repos/{owner}/{repo}/commits/{ref}", "contents:read", s.getCommit},
		{"GET /repos/{owner}/{repo}/pulls", "pull_requests:read", s.listPulls},
		{"POST /repos/{owner}/{repo}/pulls", "pull_requests:write", s.createPull},
		{"GET /repos/{owner}/{repo}/pulls/comments", "pull_requests:read", s.listLineComments},
		{"POST /repos/{owner}/{repo}/pulls/comments/{comment}/reactions", "pull_requests:write", s.reactToLine},
		{"GET /repos/{owner}/{repo}/pulls/{number}/reviews", "pull_requests:read", s.listReviews},
		{"GET /repos/{owner}/{repo}/pulls/{number}", "pull_requests:read", s.getPull},
		{"GET /repos/{owner}/{repo}/pulls/{number}/files", "pull_requests:read", s.listPullFiles},

		{"GET /repos/{owner}/{repo}/issues/comments", "issues:read|pull_requests:read", s.listRepoComments},
		{"GET /repos/{owner}/{repo}/issues/{number}/comments", "issues:read|pull_requests:read", s.listComments},
		{"POST /repos/{owner}/{repo}/issues/{number}/comments", talk, s.createComment},
		{"GET /repos/{owner}/{repo}/issues/comments/{comment}", "issues:read|pull_requests:read", s.getComment},
		{"PATCH /repos/{owner}/{repo}/issues/comments/{comment}", talk, s.updateComment},
		{"DELETE /repos/{owner}/{repo}/issues/comments/{comment}", talk, s.removeComment},
		{"GET /repos/{owner}/{repo}/issues/comments/{comment}/reactions", "issues:read|pull_requests:read", s.listReactions},
		{"POST /repos/{owner}/{repo}/issues/comments/{comment}/reactions", talk, s.createReaction},

		{"POST /repos/{owner}/{repo}/check-runs", "checks:write", s.createCheckRun},
		{"GET /repos/{owner}/{repo}/check-runs/{check}", "checks:read", s.getCheckRun},
		{"PATCH /repos/{owner}/{repo}/check-runs/{check}", "checks:write", s.updateCheckRun},
		{"GET /repos/{owner}/{repo}/check-runs/{check}/annotations", "checks:read", s.listAnnotations},
		{"GET /repos/{owner}/{repo}/commits/{ref}/check-runs", "checks:read", s.listCheckRuns},

		{"GET /repos/{owner}/{repo}/actions/workflows", "actions:read", s.listWorkflows},
		{"POST /repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches", "actions:write", s.dispatchWorkflow},
		{"GET /repos/{owner}/{repo}/actions/runs", "actions:read", s.listRuns},
		{"GET /repos/{owner}/{repo}/actions/runs/{run}", "actions:read", s.getRun},
		{"GET /repos/{owner}/{repo}/actions/runs/{run}/jobs", "actions:read", s.listJobs},
		{"POST /repos/{owner}/{repo}/actions/runs/{run}/cancel", "actions:write", s.cancelRun},
		{"GET /repos/{owner}/{repo}/actions/jobs/{job}", "actions:read", s.getJob},
		{"GET /repos/{owner}/{repo}/actions/jobs/{job}/logs", "actions:read", s.getJobLog},
		{"GET /repos/{owner}/{repo}/actions/runners", "administration:read", s.listRunners},
		{"POST /repos/{owner}/{repo}/actions/runners/generate-jitconfig", "administration:write", s.createRunner},
		{"GET /repos/{owner}/{repo}/actions/runners/{runner}", "administration:read", s.getRunner},
		{"DELETE /repos/{owner}/{repo}/actions/runners/{runner}", "administration:write", s.deleteRunner},
	}
}

// routes serves the operations.
func (s *Server) routes() http.Handler {
	// ServeMux cannot tell issues/{number}/comments from issues/comments/{id},
	// which GitHub tells by what is a number: the latter have a mux of their own.
	const apart = "/issues/comments/"
	mux, talkMux := http.NewServeMux(), http.NewServeMux()
	for _, rt := range s.operations() {
		if strings.Contains(rt.pattern, apart) {
			talkMux.Handle(rt.pattern, s.serve(rt))
			continue
		}
		mux.Handle(rt.pattern, s.serve(rt))
	}
	none := func(w http.ResponseWriter, _ *http.Request) { s.writeError(w, notFound()) }
	mux.HandleFunc("/", none)
	talkMux.HandleFunc("/", none)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, apart) {
			talkMux.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serve is one operation with its credentials checked first.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
		req := &request{Request: r}
		err := s.authorize(req, rt.need)
		if err == nil {
			err = s.limit.take(req.install.ID, w.Header(), rt.pattern != "GET /rate_limit")
		}
		if err != nil {
			s.writeError(w, err)
			return
		}
		rep, err := rt.handle(req)
		if err != nil {
			s.writeError(w, err)
			return
		}
		s.writeReply(w, rep)
	})
}

// id reads a path value that is a number; anything else names nothing.
func (r *request) id(name string) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return id, nil
}

// decode reads the body as JSON; no body is an empty object.
func (r *request) decode(into any) error {
	err := json.NewDecoder(r.Body).Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor '%s', %s is not a %s.", wrong.Field, wrong.Value, wrong.Type)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// wantsRaw reports whether a file's bytes are asked for rather than an object.
func (r *request) wantsRaw() bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/vnd.github.raw") || strings.Contains(accept, "application/vnd.github.v3.raw")
}
