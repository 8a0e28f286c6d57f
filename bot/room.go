package bot

import (
	"context"
	"fmt"

	"github.com/ortest/ortest/plan"
)

// waves warns of a plan that needs more machines than there may be at once: some start
// when others end. "" where that is not so, or not known.
func (b *Bot) waves(ctx context.Context, o plan.Options, need int) []string {
	if b.Room == nil {
		return nil
	}
	room, why, err := b.Room(ctx, o.Arch, o.InstanceType)
	switch {
	case err != nil:
		b.Log.Warn("room for machines not known", "err", err)
		return nil
	case room < 0 || need <= room:
		return nil
	case room == 0:
		return []string{fmt.Sprintf("this needs %s, and none may start: %s", count(need, "machine"), why)}
	}
	return []string{fmt.Sprintf("this needs %s and there may be %d at once: %s; they start in %d waves, so the end is later than planned",
		count(need, "machine"), room, why, (need+room-1)/room)}
}
