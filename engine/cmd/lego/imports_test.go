package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The library stays small and free of provider code: only this executable links it.
func TestOnlyThisCommandImportsLegosProviders(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "../../...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, ":")
		if path != "pylego/engine/cmd/lego" && strings.Contains(imports, "lego/v5/providers/") {
			t.Errorf("%s imports lego's providers", path)
		}
	}
}
