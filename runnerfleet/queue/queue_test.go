package queue

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	me := Seat{Instance: "i0"}
	ready := func(bucket int, goal string, takes int) Piece {
		return Piece{Bucket: bucket, State: Ready, Goal: goal, Build: 2 * time.Minute, Takes: time.Duration(takes) * time.Minute}
	}
	held := func(p Piece, by Seat, ago int) Piece {
		p.State, p.Seat, p.Since = Held, by, now.Add(-time.Duration(ago)*time.Minute)
		return p
	}
	over := func(p Piece) Piece { p.State = Over; return p }
	waits := func(p Piece) Piece { p.State = Waiting; return p }
	serial := func(p Piece) Piece { p.Serial = true; return p }
	beside, other := Seat{Instance: "i0", Lane: 1}, Seat{Instance: "i1"}
	for _, tt := range []struct {
		name   string
		all    []Piece
		lanes  int
		piece  int
		answer Answer
	}{
		{"a bucket's pieces go in plan order", []Piece{ready(1, "t-a", 9), ready(0, "t-a", 1), ready(0, "t-b", 5)}, 1, 1, Take},
		{"a lane that asks again gets what it has", []Piece{ready(0, "t-a", 1), held(ready(0, "t-b", 1), me, 0)}, 1, 1, Take},
		{"another lane's piece is not given twice", []Piece{held(ready(0, "t-a", 1), beside, 0), ready(0, "t-b", 1)}, 2, 1, Take},
		{"a serial piece waits for the other lanes", []Piece{held(ready(0, "t-a", 1), beside, 0), serial(ready(0, "t-b", 1)), ready(0, "t-c", 1)}, 2, 0, Wait},
		{"nothing begins beside a serial piece", []Piece{held(serial(ready(0, "t-a", 1)), beside, 0), ready(0, "t-b", 1)}, 2, 0, Wait},
		{"a serial piece begins when no lane works", []Piece{over(ready(0, "t-a", 1)), serial(ready(0, "t-b", 1))}, 2, 1, Take},
		{"a piece that is dispatched again is waited for", []Piece{waits(ready(0, "t-a", 1)), ready(1, "t-b", 9), ready(1, "t-b", 9)}, 1, 0, Wait},
		{"with nothing left the instance ends", []Piece{over(ready(0, "t-a", 1)), held(ready(1, "t-b", 9), other, 0)}, 1, 0, NoMore},
		{"a lane waits while the next one works", []Piece{held(ready(0, "t-a", 1), beside, 0)}, 2, 0, Wait},
		{"an instance that helps does not end while a lane works", []Piece{over(ready(0, "t-a", 1)), held(ready(1, "t-b", 1), beside, 0)}, 2, 0, Wait},
		{"the most loaded bucket is helped with its last piece",
			[]Piece{over(ready(0, "t-a", 1)), ready(1, "t-b", 5), ready(1, "t-b", 5), ready(2, "t-c", 9), ready(2, "t-c", 4), ready(2, "t-c", 3), ready(3, "t-d", 1)}, 1, 5, Take},
		{"a bucket whose machine is not there yet is helped with its only piece", []Piece{over(ready(0, "t-a", 1)), ready(1, "t-b", 5)}, 1, 1, Take},
		{"help that would end exactly as late", []Piece{over(ready(0, "t-a", 1)), held(ready(1, "t-b", 5), other, 5), ready(1, "t-b", 5)}, 1, 2, Take},
		{"help that would end later", []Piece{over(ready(0, "t-a", 1)), held(ready(1, "t-b", 5), other, 6), ready(1, "t-b", 5)}, 1, 0, NoMore},
		{"what is built here already ends sooner", []Piece{over(ready(0, "t-b", 1)), held(ready(1, "t-b", 5), other, 6), ready(1, "t-b", 5)}, 1, 2, Take},
		{"a helper with a lane at work takes no serial piece", []Piece{held(ready(0, "t-a", 1), beside, 0), serial(ready(1, "t-b", 5)), serial(ready(1, "t-b", 5))}, 2, 0, Wait},
		{"of a bucket with lanes, too", []Piece{over(ready(0, "t-a", 1)), ready(1, "t-b", 5)}, 2, 1, Take},
		{"the lanes of a bucket share its load",
			[]Piece{over(ready(0, "t-a", 1)), held(ready(1, "t-b", 5), other, 6), held(ready(1, "t-b", 3), Seat{"i1", 1}, 0), ready(1, "t-b", 5)}, 2, 0, NoMore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			piece, answer := Next(tt.all, me, Bucket{Lanes: tt.lanes}, now)
			if piece != tt.piece || answer != tt.answer {
				t.Errorf("piece %d, answer %d; want %d, %d", piece, answer, tt.piece, tt.answer)
			}
		})
	}
}
