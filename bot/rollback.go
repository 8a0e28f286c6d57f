package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// decideRollback puts an earlier revision of the catalog in force. That is for
// everybody whom the bot serves, so the right to it is not that of the repository
// where the command stands, but that of the one where the catalog comes from.
func (b *Bot) decideRollback(ctx context.Context, c comment, revision string) error {
	why, err := b.mayNotRollBack(ctx, c)
	if err != nil {
		return err
	}
	if why != "" {
		return b.answer(ctx, c, refusal(why))
	}
	before := b.Catalog().Revision
	if before == revision {
		return b.answer(ctx, c, understood("catalog "+code(revision)+" is in force already."))
	}
	if err := b.Rollback(revision); err != nil {
		return b.answer(ctx, c, refusal(plain(err.Error())))
	}
	return b.answer(ctx, c, understood(fmt.Sprintf("catalog %s counts within seconds, for what begins from then on. It holds until there is a newer state. To put back what is in force now:\n\n%s\n",
		code(revision), fence(Prefix+" rollback "+before))))
}

// mayNotRollBack says why somebody's command cannot change the catalog, or "".
func (b *Bot) mayNotRollBack(ctx context.Context, c comment) (why string, err error) {
	of := b.settings().CatalogOf
	if b.Rollback == nil || of == "" {
		return "whoever runs the bot can do that, with `ortest catalog rollback`. By a comment it takes one server, and a catalog that comes from a repository on this GitHub", nil
	}
	repos, err := b.Forge.Repositories(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(repos, func(r Repo) bool { return strings.EqualFold(r.String(), of) })
	if i < 0 {
		return "the bot is not installed on " + code(of) + ", where the catalog comes from, and cannot ask who maintains it", nil
	}
	role, err := b.Forge.Permission(ctx, repos[i], c.Sender)
	switch {
	case final(err):
		return "GitHub does not tell this bot what you may do on " + code(of), nil
	case err != nil:
		return "", err
	case role != "admin" && role != "maintain":
		return fmt.Sprintf("the catalog is for everybody, so only people with maintain or admin permission on %s may change which one counts; yours is %s", code(of), code(role)), nil
	}
	return "", nil
}
