package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// The limits of a check run. GitHub speaks of characters.
const (
	maxOutput      = 65535
	maxTitle       = 255
	maxAnnotations = 50
	maxMessage     = 64 << 10 // bytes
	maxActions     = 3
)

var (
	checkStatuses    = []string{"queued", "in_progress", "completed"}
	checkConclusions = []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
	annotationLevels = []string{"notice", "warning", "failure"}
)

// checkBody is the body of creating and of updating a check run; what is nil
// stays as it is.
type checkBody struct {
	Name        *string        `json:"name"`
	HeadSHA     *string        `json:"head_sha"`
	Details     *string        `json:"details_url"`
	External    *string        `json:"external_id"`
	Status      *string        `json:"status"`
	Conclusion  *string        `json:"conclusion"`
	StartedAt   *time.Time     `json:"started_at"`
	CompletedAt *time.Time     `json:"completed_at"`
	Output      *checkOutput   `json:"output"`
	Actions     *[]CheckAction `json:"actions"`
}

type checkOutput struct {
	Title       *string          `json:"title"`
	Summary     *string          `json:"summary"`
	Text        *string          `json:"text"`
	Annotations []annotationBody `json:"annotations"`
}

// annotationBody tells a line that was not given from line 0.
type annotationBody struct {
	Annotation
	StartLine *int `json:"start_line"`
	EndLine   *int `json:"end_line"`
}

// check refuses what GitHub refuses. Creating asks for more than updating.
func (b checkBody) check(creating bool) error {
	missing := func(field string) error {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"%s\" wasn't supplied.", field)
	}
	switch {
	case creating && (b.Name == nil || *b.Name == ""), b.Name != nil && *b.Name == "":
		return missing("name")
	case creating && b.HeadSHA == nil:
		return missing("head_sha")
	case b.Status != nil && !slices.Contains(checkStatuses, *b.Status):
		return invalid("CheckRun", "status", "is not included in the list")
	case b.Conclusion != nil && !slices.Contains(checkConclusions, *b.Conclusion):
		return invalid("CheckRun", "conclusion", "is not included in the list")
	case b.Conclusion == nil && (b.CompletedAt != nil || b.Status != nil && *b.Status == "completed"):
		return missing("conclusion")
	case b.Status != nil && *b.Status != "completed" && b.Conclusion != nil:
		return invalid("CheckRun", "status", "must be completed when a conclusion is given")
	}
	if b.Output != nil {
		if creating && b.Output.Title == nil {
			return missing("output.title")
		}
		if err := b.Output.check(); err != nil {
			return err
		}
	}
	if b.Actions != nil {
		return checkActions(*b.Actions)
	}
	return nil
}

func (o checkOutput) check() error {
	if o.Summary == nil {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"output.summary\" wasn't supplied.")
	}
	limits := []struct {
		field string
		text  *string
		max   int
	}{{"title", o.Title, maxTitle}, {"summary", o.Summary, maxOutput}, {"text", o.Text, maxOutput}}
	for _, l := range limits {
		if l.text == nil {
			continue
		}
		if n := utf8.RuneCountInString(*l.text); n > l.max {
			return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nOnly %d characters are allowed; %d were supplied for output.%s.", l.max, n, l.field)
		}
	}
	if len(o.Annotations) > maxAnnotations {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nNo more than %d items are allowed; %d were supplied.", maxAnnotations, len(o.Annotations))
	}
	for i, a := range o.Annotations {
		if why := a.wrong(); why != "" {
			return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'annotations/%d', %s.", i, why)
		}
	}
	return nil
}

// wrong says what is the matter with an annotation, or "".
func (a annotationBody) wrong() string {
	switch {
	case a.Path == "":
		return "path is missing"
	case a.StartLine == nil || a.EndLine == nil:
		return "start_line and end_line are required"
	case *a.StartLine < 1 || *a.EndLine < *a.StartLine:
		return "the lines are no range"
	case !slices.Contains(annotationLevels, a.Level):
		return "annotation_level is not included in the list"
	case a.Message == "":
		return "message is missing"
	case len(a.Message) > maxMessage || len(a.RawDetails) > maxMessage:
		return fmt.Sprintf("message and raw_details hold at most %d bytes", maxMessage)
	case utf8.RuneCountInString(a.Title) > maxTitle:
		return fmt.Sprintf("title holds at most %d characters", maxTitle)
	case (a.StartColumn != 0 || a.EndColumn != 0) && *a.StartLine != *a.EndLine:
		return "columns need start_line and end_line to be the same"
	}
	return ""
}

func checkActions(actions []CheckAction) error {
	if len(actions) > maxActions {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nNo more than %d items are allowed; %d were supplied.", maxActions, len(actions))
	}
	for i, a := range actions {
		for _, l := range []struct {
			field, text string
			max         int
		}{{"label", a.Label, 20}, {"description", a.Description, 40}, {"identifier", a.Identifier, 20}} {
			n := utf8.RuneCountInString(l.text)
			if n == 0 || n > l.max {
				return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'actions/%d', %s needs 1 to %d characters; %d were supplied.", i, l.field, l.max, n)
			}
		}
	}
	return nil
}

// apply returns the check run as the body changes it. Annotations are added to
// those there are; a conclusion completes.
func (b checkBody) apply(c CheckRun, now time.Time) CheckRun {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&c.Name, b.Name)
	set(&c.Details, b.Details)
	set(&c.External, b.External)
	if b.Status != nil {
		c.Status = *b.Status
		if c.Status != "completed" {
			c.Conclusion, c.CompletedAt = "", time.Time{}
		}
	}
	if b.StartedAt != nil {
		c.StartedAt = b.StartedAt.UTC()
	} else if c.StartedAt.IsZero() {
		c.StartedAt = now
	}
	if b.Conclusion != nil {
		c.Status, c.Conclusion, c.CompletedAt = "completed", *b.Conclusion, now
	}
	if b.CompletedAt != nil {
		c.CompletedAt = b.CompletedAt.UTC()
	}
	if b.Actions != nil {
		c.Actions = slices.Clone(*b.Actions)
	}
	if b.Output == nil {
		return c
	}
	set(&c.Title, b.Output.Title)
	set(&c.Summary, b.Output.Summary)
	set(&c.Text, b.Output.Text)
	c.Annotations = slices.Clone(c.Annotations)
	for _, a := range b.Output.Annotations {
		a.Annotation.StartLine, a.Annotation.EndLine = *a.StartLine, *a.EndLine
		c.Annotations = append(c.Annotations, a.Annotation)
	}
	return c
}
