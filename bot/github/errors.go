package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// meanings is what GitHub's codes mean to the bot; any other code is an error
// that a repeat may cure. A 403 is here only when it is not a rate limit.
var meanings = map[int]error{
	http.StatusBadRequest:          bot.ErrRefused,
	http.StatusForbidden:           bot.ErrRefused,
	http.StatusNotFound:            bot.ErrGone,
	http.StatusGone:                bot.ErrGone,
	http.StatusUnprocessableEntity: bot.ErrRefused,
}

// wrap says what was attempted, and adds the meaning of GitHub's code.
func wrap(err error, attempted string, args ...any) error {
	if err == nil {
		return nil
	}
	err = denial(err)
	what := fmt.Sprintf(attempted, args...)
	if code := codeOf(err); code != 0 && meanings[code] != nil {
		return fmt.Errorf("%s: %w: %w", what, meanings[code], err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// codeOf returns the code that GitHub answered with, and 0 for a rate limit and
// when there was no answer.
func codeOf(err error) int {
	var denied *ghinstallation.HTTPError
	if errors.As(err, &denied) && denied.Response != nil && !limited(denied.Response) {
		return denied.Response.StatusCode
	}
	var answer *gh.ErrorResponse
	if errors.As(err, &answer) && answer.Response != nil && !limited(answer.Response) {
		return answer.Response.StatusCode
	}
	return 0
}

// denial adds what GitHub said when it gave no token, which ghinstallation
// leaves unread, and closes the answer.
func denial(err error) error {
	var denied *ghinstallation.HTTPError
	if !errors.As(err, &denied) || denied.Response == nil {
		return err
	}
	said, readErr := io.ReadAll(io.LimitReader(denied.Response.Body, 1<<10))
	if err := errors.Join(readErr, denied.Response.Body.Close()); err != nil {
		said = append(said, err.Error()...)
	}
	return fmt.Errorf("get token of installation %d: %w: %s", denied.InstallationID, err, said)
}
