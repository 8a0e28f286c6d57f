package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cursorPrefix marks the place in the list of deliveries after which a page
// starts; clients treat a cursor as opaque.
const cursorPrefix = "v1_"

// listDeliveries lists the attempts made, newest first.
func (s *Server) listDeliveries(r *request) (reply, error) {
	q := r.URL.Query()
	before, size := int64(0), pageOf(q).size
	if raw := q.Get("cursor"); raw != "" {
		id, err := strconv.ParseInt(strings.TrimPrefix(raw, cursorPrefix), 10, 64)
		if err != nil {
			return reply{}, refuse(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		before = id
	}
	rep := reply{status: http.StatusOK, header: http.Header{}}
	err := s.view(func(st *state) error {
		all := st.sent.filter(func(d Delivery) bool {
			return !d.Attempted.IsZero() && (before == 0 || d.ID < before) &&
				(q.Get("status") != "success" || d.OK()) && (q.Get("status") != "failure" || !d.OK())
		})
		slices.Reverse(all)
		if len(all) > size {
			all = all[:size]
			q.Set("cursor", cursorPrefix+strconv.FormatInt(all[size-1].ID, 10))
			rep.header.Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, s.apiURL(), r.URL.Path, q.Encode()))
		}
		rep.body = rendered(all, s.render(st).delivery)
		return nil
	})
	return rep, err
}

func (s *Server) getDelivery(r *request) (reply, error) {
	id, err := r.id("delivery")
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.view(func(st *state) error {
		d, found := st.sent.get(id)
		if !found || d.Attempted.IsZero() {
			return notFound()
		}
		e, _ := st.events.get(d.Event)
		body = s.render(st).delivery(d)
		body["url"] = s.cfg.WebhookURL
		body["request"] = obj{"headers": flat(s.webhookHeader(e)), "payload": e.Payload}
		body["response"] = obj{"headers": flat(d.Headers), "payload": d.Body}
		return nil
	})
	return ok(body), err
}

func flat(h http.Header) obj {
	out := obj{}
	for k := range h {
		out[k] = h.Get(k)
	}
	return out
}

func (s *Server) redeliver(r *request) (reply, error) {
	id, err := r.id("delivery")
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: obj{}}, s.Redeliver(id)
}

// Redeliver sends a webhook again, under its old GUID, as a delivery of its
// own.
func (s *Server) Redeliver(id int64) error {
	return s.update(func(st *state, x *tx) error {
		d, found := st.sent.get(id)
		if !found || d.Attempted.IsZero() {
			return notFound()
		}
		if _, known := st.events.get(d.Event); !known {
			return notFound()
		}
		again := Delivery{ID: st.newID(), Event: d.Event, GUID: d.GUID, Name: d.Name, Action: d.Action, Redelivery: true}
		st.sent.put(x, again.ID, again)
		return nil
	})
}

// Deliveries returns every attempt, made or due, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.st.sent.filter(nil)
}
