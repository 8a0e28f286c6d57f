package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// migratedConfig is a configuration of ortest serve with the old machines. Its values
// are of letters that YAML takes as they are.
const migratedConfig = `# Begun by ortest migrate. fleet is from {{.Source}}; what is an example here
# comes from ortest app create and from the stack: docs/install.md.

listen: 127.0.0.1:8080
url: https://ortest.example.org
data: data

github:
  app_id: 12345
  slug: ortest
  key_file: app.pem
  webhook_secret_files: [webhook.secret]

fleet:
  cloud: ec2
  max_instances: 20
  ec2:{{with .Region}} # the old machines were in {{.}}: AWS_REGION={{.}}{{end}}
    subnets: [{{.Subnets}}]
    security_groups: [{{.Groups}}]
    certificates_file: aws.pem
    # These start the old driver beside ortest: build new ones with ortest image build
    # and take this key out, or disable openresty-tester in these.
    images:
{{- range .Images}}
      {{.Arch}}: {{.ID}}{{with .Name}} # {{.}}{{end}}
{{- end}}
{{- if .Types}}
    types:
{{- range $arch, $type := .Types}}
      {{$arch}}: [{{$type}}]
{{- end}}{{end}}
{{- if .Catalog}}

live:
  catalog: catalog
{{- end}}
`

// configure writes a configuration with the old machines.
func (m *migration) configure(dir string) error {
	if len(m.fleet.Images) == 0 {
		return nil
	}
	t, err := template.New("").Parse(migratedConfig)
	if err != nil {
		return err
	}
	or := func(all []string, example string) string {
		if len(all) == 0 {
			all = []string{example}
		}
		return strings.Join(all, ", ")
	}
	var s strings.Builder
	err = t.Execute(&s, map[string]any{
		"Source": m.from.tool(oldImages), "Region": m.fleet.Region, "Images": m.fleet.Images, "Types": m.fleet.Types, "Catalog": len(m.overlay) > 0,
		"Subnets": or(m.fleet.Subnets, "subnet-0123456789abcdef0"), "Groups": or(m.fleet.Groups, "sg-0123456789abcdef0"),
	})
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "ortest.yaml"), []byte(s.String()), 0o644)
}
