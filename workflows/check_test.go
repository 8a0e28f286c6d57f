package workflows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const good = `name: x
on: push
permissions: {}
concurrency: x
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: |
          echo start
          echo done ${{ github.sha }}
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
`
	digest := strings.Repeat("a", 64)
	for _, tt := range []struct {
		name, old, now string
		want           []string // position and rule
	}{
		{"a good one", "", "", nil},
		{"an action by its tag", "@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", []string{"13:15 pin"}},
		{"a commit one digit short", "9af683", "9af68", []string{"13:15 pin"}},
		{"no permissions", "permissions: {}\n", "", []string{"1:1 permissions"}},
		{"everything permitted", "permissions: {}", "permissions: write-all", []string{"3:14 permissions"}},
		{"every job may write", "permissions: {}", "permissions: {contents: write}", []string{"3:15 permissions"}},
		{"no queue", "concurrency: x\n", "", []string{"5:3 concurrency"}},
		{"no end", "    timeout-minutes: 5\n", "", []string{"6:3 timeout"}},
		{"an input in a script", "done ${{ github.sha }}", "done ${{ env.X }}", []string{"12:21 script"}},
		{"a title in a script, which actionlint knows too", "echo start", "echo ${{ github.event.head_commit.message }}", []string{"10:23 expression", "11:16 script"}},
		{"twice in a line", "${{ github.sha }}", "${{ env.A }} ${{ env.B }}", []string{"12:21 script", "12:34 script"}},
		{"a job that is no job", "runs-on: ubuntu-24.04\n", "runs: x\n", []string{"6:3 syntax-check", "7:5 syntax-check"}},
		{"an expression over lines, in a script", "done ${{ github.sha }}", "done ${{\n            github.event.comment.body }}", []string{"11:40 expression", "12:21 script"}},
		{"a call that hides it", "done ${{ github.sha }}", "done ${{ toJSON(github.event) }}", []string{"12:21 script"}},
		{"a shell is a script too", "jobs:\n", "defaults: {run: {shell: \"${{ inputs.x }}\"}}\njobs:\n", []string{"5:26 script", "5:30 expression", "5:30 expression"}},
		{"a row of the matrix that a person fills", "    steps:\n      - run: |\n          echo start\n", "    strategy: {matrix: {x: [\"${{ github.head_ref }}\"]}}\n    steps:\n      - run: |\n          echo ${{ matrix.x }}\n", []string{"12:16 script"}},
		{"a row that the file spells out", "    steps:\n      - run: |\n          echo start\n", "    strategy: {matrix: {x: [a, b]}}\n    steps:\n      - run: |\n          echo ${{ matrix.x }}\n", nil},
		{"a person's text by way of a variable", "      - run: |\n          echo start\n", "      - env: {T: \"${{ github.head_ref }}\"}\n        run: |\n          echo \"$T\"\n", nil},
		{"the script of an action", "      - uses: actions/checkout@", "      - uses: actions/github-script@60a0d83039c74a4aee543508d2ffcb1c3799cdea\n        with: {script: \"${{ inputs.x }}\"}\n      - uses: actions/checkout@", []string{"14:25 script", "14:29 expression"}},
		{"a step that an alias repeats", "      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "      - &c {uses: actions/checkout@v4}\n      - *c", []string{"13:19 pin"}},
		{"a workflow by its branch, with every secret", "  a:\n", "  b:\n    uses: o/r/.github/workflows/x.yml@main\n    secrets: inherit\n  a:\n", []string{"6:3 secret", "7:11 pin"}},
		{"a secret of the job, and a fetch by hand", "    steps:\n      - run: |\n", "    env: {T: \"${{ secrets.T }}\"}\n    steps:\n      - run: |\n          git fetch origin \"pull/$N/head\"\n", []string{"11:14 secret"}},
		{"a stranger's commit by way of a variable", "      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683\n        env: {H: \"${{ github.head_ref }}\"}\n        with: {token: \"${{ secrets.T }}\", ref: \"${{ env.H }}\"}", []string{"15:48 secret"}},
		{"a tree that does not parse", "name: x\n", "name: [\n", []string{"2:6 syntax-check"}},
		{"a secret beside a stranger's code", "- uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "- uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683\n        with:\n          ref: ${{ github.event.pull_request.head.sha }}\n          token: ${{ secrets.T }}", []string{"15:16 secret"}},
		{"a job's image by its tag", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: debian:12\n", []string{"8:16 pin"}},
		{"images of job and service by their tags", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: {image: debian}\n    services:\n      db: {image: \"postgres:17\"}\n", []string{"8:24 pin", "10:19 pin"}},
		{"images by their digests", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: debian:12@sha256:" + digest + "\n    services: {db: {image: ghcr.io/o/db@sha256:" + digest + "}}\n", nil},
		{"a digest one digit short", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: debian@sha256:" + digest[1:] + "\n", []string{"8:16 pin"}},
		{"an image that an input names", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: \"${{ vars.IMAGE }}\"\n", []string{"8:16 pin"}},
		{"images in a row that the file spells out, one by its tag", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    strategy: {matrix: {on: [\"a@sha256:" + digest + "\", \"b:1\"]}}\n    container: \"${{ matrix.on }}\"\n", []string{"8:107 pin"}},
		{"a title for later steps", "          echo start\n", "          echo \"T=$T\" >> \"$GITHUB_ENV\"\n        env: {T: \"${{ github.event.issue.title }}\"}\n      - run: |\n", []string{"11:11 environment"}},
		{"a comment of the job's environment, in a group", "    steps:\n      - run: |\n          echo start\n", "    env: {BODY: \"${{ github.event.comment.body }}\"}\n    steps:\n      - run: |\n          {\n            echo 'B<<E'\n            echo \"$BODY\"\n            echo E\n          } >> $GITHUB_ENV\n", []string{"14:13 environment"}},
		{"a comment by way of another variable, in a here-document", "          echo start\n", "          b=$(printf %s \"${BODY}\")\n          cat <<EOF >>\"${GITHUB_ENV}\"\n          B=$b\n          EOF\n        env: {BODY: \"${{ github.event.comment.body }}\"}\n      - run: |\n", []string{"13:11 environment"}},
		{"a folder of the search path", "          echo start\n", "          echo \"$D\" | tee -a \"$GITHUB_PATH\"\n        env: {D: \"${{ github.event.inputs.dir }}\"}\n      - run: |\n", []string{"11:11 environment"}},
		{"a script that is not understood", "          echo start\n", "          open(os.environ['GITHUB_ENV'], 'a').write('T=' + os.environ['T'])\n        shell: python\n        env: {T: \"${{ github.head_ref }}\"}\n      - run: |\n", []string{"11:11 environment"}},
		{"a title that is only printed", "          echo start\n", "          echo \"$T\"\n          echo A=1 >> $GITHUB_ENV\n        env: {T: \"${{ github.event.issue.title }}\"}\n      - run: |\n", nil},
		{"a title without its line breaks", "          echo start\n", "          echo \"T=$(printf %s \"$T\" | tr -d '\\n')\" >> $GITHUB_ENV\n        env: {T: \"${{ github.event.issue.title }}\"}\n      - run: |\n", nil},
		{"a here-document in quotes", "          echo start\n", "          cat >>$GITHUB_ENV <<'EOF'\n          A=$T\n          EOF\n        env: {T: \"${{ github.event.issue.title }}\"}\n      - run: |\n", nil},
		{"a step that has its own", "    steps:\n      - run: |\n          echo start\n", "    env: {T: \"${{ github.event.issue.title }}\"}\n    steps:\n      - env: {T: fixed}\n        run: |\n          echo \"T=$T\" >> $GITHUB_ENV\n", nil},
		{"a commit for later steps", "          echo start\n", "          echo \"C=$C\" >> $GITHUB_ENV\n        env: {C: \"${{ github.sha }}\"}\n      - run: |\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := Check("x.yml", []byte(strings.Replace(good, tt.old, tt.now, 1)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Rule))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %v, want %v: %v", got, tt.want, found)
			}
		})
	}
}

func TestCheckOfAnAction(t *testing.T) {
	const action = `name: x
description: x
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        echo ${{ github.action_path }}
        echo ${{ inputs.a }} ${{ github.head_ref }}
        echo "A=$A" >> "$GITHUB_ENV"
      env:
        A: ${{ inputs.a }}
    - uses: actions/checkout@v4
    - uses: ./here
`
	found, err := Check("action.yml", []byte(action))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Rule))
	}
	if want := []string{"9:14 script", "9:30 script", "10:9 environment", "13:13 pin"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestCheckOfAnActionInAContainer(t *testing.T) {
	for image, want := range map[string]int{"Dockerfile": 0, "docker://alpine:3": 1, "docker://alpine@sha256:" + strings.Repeat("a", 64): 0} {
		found, err := Check("action.yml", []byte("name: x\ndescription: x\nruns:\n  using: docker\n  image: "+image+"\n"))
		if err != nil || len(found) != want {
			t.Errorf("image %s: found %v, %v; want %d", image, found, err, want)
		}
	}
}
