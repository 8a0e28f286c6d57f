package plan

import (
	"math"
	"slices"
	"time"
)

// lowerBound returns a number of bins of limit below which sizes, none above
// limit, cannot be packed: the best of three arguments, each cheap.
func lowerBound(sizes []int64, limit int64) int {
	if len(sizes) == 0 {
		return 0
	}
	asc := slices.Sorted(slices.Values(sizes))
	return max(roomBound(asc, limit), crowdBound(asc, limit), roundBound(asc, limit))
}

// roomBound is Martello and Toth's L2 for ascending sizes. For each threshold
// k, sizes above limit-k share with nothing of k or more, and those above half
// a bin not with each other; what is left of their bins takes the rest.
func roomBound(asc []int64, limit int64) int {
	prefix := make([]int64, len(asc)+1)
	for i, s := range asc {
		prefix[i+1] = prefix[i] + s
	}
	best := ceilDiv(prefix[len(asc)], limit)
	above := func(x int64) int { // first index of a size above x
		i, _ := slices.BinarySearch(asc, x+1)
		return i
	}
	half := above(limit / 2)
	seen := int64(math.MinInt64)
	for i := 0; i < half; i++ {
		k := asc[i]
		if k == seen {
			continue
		}
		seen = k
		big := above(limit - k)
		n1 := int64(len(asc) - big)
		n2 := int64(big - half)
		middle := prefix[half] - prefix[i]
		room := n2*limit - (prefix[big] - prefix[half])
		extra := int64(0)
		if middle > room {
			extra = ceilDiv(middle-room, limit)
		}
		best = max(best, n1+n2+extra)
	}
	return int(max(best, int64(len(asc)-half)))
}

// crowdBound counts: a bin holds at most m of the sizes from some size on, and
// at most so many bins hold m, since the smallest must fill them; the others
// hold one less.
func crowdBound(asc []int64, limit int64) int {
	best := 0
	step := 1 + len(asc)/500 // a thousand thresholds say as much as all
	for from := 0; from < len(asc); from += step {
		large := asc[from:]
		m, sum := 0, int64(0)
		for m < len(large) && sum+large[m] <= limit {
			sum += large[m]
			m++
		}
		if m < 2 {
			return max(best, len(large))
		}
		full, at := 0, 0
		for sum = 0; at+m <= len(large); full++ {
			for _, s := range large[at : at+m] {
				sum += s
			}
			if sum > int64(full+1)*limit {
				break
			}
			at += m
		}
		best = max(best, int(ceilDiv(int64(len(large)-full), int64(m-1))), int(ceilDiv(int64(len(large)), int64(m))))
	}
	return best
}

// roundBound rounds sizes as Fekete and Schepers do: what is more than i parts
// of k+1 counts as i parts of k, and no bin then holds more than it did. Sizes
// that share with none of a threshold count as whole bins, and those below it
// as nothing. It reckons in milliseconds, sizes rounded down and limit up.
func roundBound(asc []int64, limit int64) int {
	const most = 12
	limit = ceilDiv(limit, int64(time.Millisecond))
	small := make([]int64, len(asc))
	for i, s := range asc {
		small[i] = s / int64(time.Millisecond)
	}
	best := int64(0)
	step := 1 + len(asc)/40
	for from := 0; from < len(small) && small[from] <= limit/2; from += step {
		threshold := small[from]
		for k := int64(1); k <= most; k++ {
			var sum int64
			for _, s := range small[from:] {
				switch {
				case s > limit-threshold:
					sum += limit * k
				case (k+1)*s%limit == 0:
					sum += s * k
				default:
					sum += (k + 1) * s / limit * limit
				}
			}
			best = max(best, ceilDiv(sum, limit*k))
		}
	}
	return int(best)
}
