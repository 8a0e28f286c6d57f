package report

import (
	"math"
	"slices"
)

// trend is the slope of a series in units a sample, with a confidence interval
// of 99 % that is one-sided where it matters: below Low lies the true slope in
// one of two hundred series.
type trend struct {
	Slope, Low, High float64
}

// senTrend estimates the slope as the median of the slopes between all pairs of
// samples, and its interval from the variance of Kendall's S with ties: P. K.
// Sen, "Estimates of the regression coefficient based on Kendall's tau", J. Am.
// Stat. Assoc. 63 (1968) 1379-1389. A single step, which is what a warm-up looks
// like, moves a least-squares line and its interval far from zero, but not the
// median.
func senTrend(y []float64) trend {
	if step := (len(y) + maxPaired - 1) / maxPaired; step > 1 {
		t := senTrend(every(y, step))
		by := float64(step)
		return trend{Slope: t.Slope / by, Low: t.Low / by, High: t.High / by}
	}
	n := len(y)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range y {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (y[j]-y[i])/float64(j-i))
		}
	}
	if len(slopes) == 0 {
		return trend{}
	}
	slices.Sort(slopes)
	c := z99 * math.Sqrt(kendallVariance(y))
	pairs := float64(len(slopes))
	low := int(math.Floor((pairs - c) / 2))
	high := int(math.Ceil((pairs + c) / 2))
	return trend{
		Slope: median(slopes),
		Low:   slopes[min(max(low-1, 0), len(slopes)-1)],
		High:  slopes[min(max(high, 0), len(slopes)-1)],
	}
}

// maxPaired bounds the pairs of a long series to 80,000.
const maxPaired = 400

func every(y []float64, step int) []float64 {
	var some []float64
	for i := 0; i < len(y); i += step {
		some = append(some, y[i])
	}
	return some
}

const z99 = 2.5758 // normal quantile of 0.995

// kendallVariance is that of S under no trend, with its correction for ties.
func kendallVariance(y []float64) float64 {
	sorted := slices.Clone(y)
	slices.Sort(sorted)
	n := float64(len(y))
	v := n * (n - 1) * (2*n + 5)
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		v -= t * (t - 1) * (2*t + 5)
		i = j
	}
	return v / 18
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// leastSquares is the slope that Test::Nginx prints as k.
func leastSquares(y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i, v := range y {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+v, sxx+x*x, sxy+x*v
	}
	n := float64(len(y))
	d := n*sxx - sx*sx
	if d == 0 {
		return 0
	}
	return (n*sxy - sx*sy) / d
}
