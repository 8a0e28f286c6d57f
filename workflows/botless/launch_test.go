package botless

import (
	"slices"
	"testing"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet/image"
)

func TestTheMachinesOfAnArch(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	arch := func(name string) catalog.Arch {
		a, ok := c.Arch(name)
		if !ok {
			t.Fatal(name)
		}
		return a
	}
	x64, i386 := machinesOf(arch("linux x86_64")), machinesOf(arch("linux i386"))
	if x64.Root != "" || x64.Image != arch("linux x86_64").Image || !slices.Equal(x64.Types, arch("linux x86_64").Alike()) {
		t.Errorf("by the catalog: %+v", x64)
	}
	if i386.Root != image.Root386 {
		t.Errorf("32-bit jobs enter %q", i386.Root)
	}
	t.Setenv("ORTEST_IMAGE", "ours-*")
	t.Setenv("ORTEST_TYPES", "c7i.large m7i.large")
	if a := machinesOf(arch("linux x86_64")); a.Image != "ours-*" || !slices.Equal(a.Types, []string{"c7i.large", "m7i.large"}) {
		t.Errorf("by the job's variables: %+v", a)
	}
}
