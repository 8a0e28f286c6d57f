package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/workflows"
)

// Who and what is in the demo's GitHub.
const (
	demoOrg        = "ortest-examples"
	demoRepo       = demoOrg + "/hello"
	demoMaintainer = "ada"
	demoAuthor     = "carl"
	demoStranger   = "mallory"
	demoBranch     = "greet-politely"
)

// seed makes the demo's repositories and its pull request, as far as they do not exist.
func seed(ctx context.Context, gh *githubtest.Server, variant string) (pull int, err error) {
	for login, kind := range map[string]string{
		demoOrg: "Organization", demoMaintainer: "User", demoAuthor: "User", demoStranger: "User",
	} {
		if _, err := gh.CreateUser(login, kind); err != nil {
			return 0, err
		}
	}
	for _, name := range examples.Names() {
		repo := demoOrg + "/" + name
		if _, err := gh.CreateRepository(ctx, repo, map[string]string{demoMaintainer: "maintain"}); err != nil {
			return 0, err
		}
		files, err := exampleFiles(name, examples.Good)
		if err != nil {
			return 0, err
		}
		if _, err := gh.Push(ctx, githubtest.Commit{
			Repo: repo, Branch: "main", Message: "Import " + name, Author: demoMaintainer, Files: files, Whole: true,
		}); err != nil {
			return 0, err
		}
	}
	if _, err := gh.Install(demoOrg); err != nil {
		return 0, err
	}
	if _, err := pushVariant(ctx, gh, variant); err != nil {
		return 0, err
	}
	if err := seedRelease(ctx, gh); err != nil {
		return 0, err
	}
	pr, err := gh.OpenPull(ctx, githubtest.NewPull{
		Repo: demoRepo, Head: demoBranch, Base: "main", Author: demoAuthor,
		Title: "Greet politely",
		Body:  "A small change to the example project. Write `/ortest hello` on a line of its own to have it tested.",
	})
	return pr.Number, err
}

// pushVariant puts a variant of the example project on the pull request's branch.
func pushVariant(ctx context.Context, gh *githubtest.Server, variant string) (sha string, err error) {
	files, err := exampleFiles("hello", variant)
	if err != nil {
		return "", err
	}
	files["CHANGES.md"] = githubtest.File{Data: fmt.Appendf(nil, "# Changes\n\n- Greet politely (%s variant of the demo).\n", variant)}
	return gh.Push(ctx, githubtest.Commit{
		Repo: demoRepo, Branch: demoBranch, From: "main", Author: demoAuthor, Files: files, Whole: true,
		Message: fmt.Sprintf("Greet politely\n\nThe %s variant.", variant),
	})
}

// exampleFiles is a project as its repository holds it: with the workflow.
func exampleFiles(name, variant string) (map[string]githubtest.File, error) {
	project, err := examples.Project(name, variant)
	if err != nil {
		return nil, err
	}
	maps.Copy(project, workflows.Files())
	files := make(map[string]githubtest.File, len(project))
	for path, content := range project {
		files[path] = githubtest.File{Data: content, Exec: examples.Executable(content)}
	}
	return files, nil
}
