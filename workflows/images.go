package workflows

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

var digestImage = regexp.MustCompile(`^[^@\s]+@sha256:[0-9a-f]{64}$`)

// image refuses a container's image that is not pinned by its digest. One that the
// matrix gives is looked at there, where the file spells the row out.
func (c *checker) image(s *actionlint.String, of *actionlint.Strategy) {
	if s == nil || s.Value == "" {
		return
	}
	if m := expression.FindStringSubmatch(s.Value); m != nil && strings.TrimSpace(s.Value) == m[0] {
		name := strings.ToLower(strings.TrimSpace(m[1]))
		if slices.Contains(c.fixed, name) {
			for _, v := range of.Matrix.Rows[strings.TrimPrefix(name, "matrix.")].Values {
				if image, ok := v.(*actionlint.RawYAMLString); ok {
					c.image(&actionlint.String{Value: image.Value, Pos: image.Pos()}, nil)
				}
			}
			return
		}
	}
	if !digestImage.MatchString(s.Value) {
		c.say(s.Pos, "pin", "image %q is not pinned: name its digest, image@sha256:…, with the version in a comment, since a tag can be moved", s.Value)
	}
}

// images looks at what the job and its services run in.
func (c *checker) images(j *actionlint.Job) {
	if j.Container != nil {
		c.image(j.Container.Image, j.Strategy)
	}
	if j.Services == nil {
		return
	}
	for _, s := range j.Services.Value {
		if s.Container != nil {
			c.image(s.Container.Image, j.Strategy)
		}
	}
}
