package contract

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Webhook checks a payload against what GitHub sends for an event, such as
// "issue_comment"; the payload's own action picks the schema. The error names
// every fault on one line.
func Webhook(event string, payload []byte) error {
	var body any
	if err := json.Unmarshal(payload, &body); err != nil {
		return fmt.Errorf("webhook %s: payload is no JSON: %w", event, err)
	}
	object, ok := body.(fields)
	if !ok {
		return fmt.Errorf("webhook %s: payload is no object", event)
	}
	name := event
	if action, ok := object["action"].(string); ok {
		name += "-" + action
	}
	schema := hooks()["webhook-"+strings.ReplaceAll(name, "_", "-")]
	if schema == nil {
		return fmt.Errorf("webhook %s: the kept part of GitHub's description (subset.txt) has no %s", event, name)
	}
	err := schema.Value.VisitJSON(body, openapi3.VisitAsResponse(), openapi3.MultiErrors(), openapi3.EnableFormatValidation())
	if faults := append(faultsOf(err), hookRules(event, object)...); len(faults) > 0 {
		return fmt.Errorf("webhook %s: %s", name, join(faults))
	}
	return nil
}

// hookRules: what GitHub sends to an App always says for which installation,
// and what concerns a check run or a job says the conclusion once it is over.
func hookRules(event string, body fields) []Fault {
	var faults []Fault
	if event != "ping" && body["installation"] == nil {
		faults = append(faults, Fault{"/installation", "is missing: the receiver is an App"})
	}
	for _, name := range []string{"check_run", "workflow_job", "workflow_run"} {
		thing, _ := body[name].(fields)
		if thing["status"] == "completed" && thing["conclusion"] == nil {
			faults = append(faults, Fault{"/" + name + "/conclusion", "is missing although status is completed"})
		}
	}
	return faults
}
