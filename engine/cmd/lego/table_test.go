package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-acme/lego/v5/cmd"
	"github.com/urfave/cli/v3"
)

// tablePath is the page that tells what lego's commands and flags are in Python and
// for pylego; a test of Python's reads the other columns.
const tablePath = "../../../docs/lego.md"

func TestThePageHasEveryCommandAndFlagOfLego(t *testing.T) {
	page, err := os.ReadFile(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	if of := strings.TrimPrefix(legoDirectory(t, "{{.Version}}"), "v"); !strings.Contains(string(page), "lego "+of+" ") {
		t.Errorf("%s is not about lego %s", tablePath, of)
	}
	theirs, told := ofLego(), inTable(string(page))
	for _, each := range theirs {
		if !slices.Contains(told, each) {
			t.Errorf("lego has %q and %s has not", each, tablePath)
		}
	}
	for at, each := range told {
		if !slices.Contains(theirs, each) {
			t.Errorf("%s has %q and lego has not", tablePath, each)
		}
		if slices.Contains(told[:at], each) {
			t.Errorf("%s has %q twice", tablePath, each)
		}
	}
}

// ofLego lists the commands of lego that do something, such as "lego accounts list",
// and their flags, such as "lego run --domains -d".
func ofLego() []string {
	root := cmd.CreateRootCommand()
	root.Version = "any" // adds --version
	root.Writer = io.Discard
	_ = root.Run(context.Background(), []string{"lego", "--help"}) // adds what all programs have
	var found []string
	var walk func(command *cli.Command, name string)
	walk = func(command *cli.Command, name string) {
		group := false
		for _, each := range command.Commands {
			if each.Name != "help" {
				group = true
				walk(each, name+" "+each.Name)
			}
		}
		if !group || command == root {
			found = append(found, name)
		}
		for _, flag := range command.Flags {
			if names := flag.Names(); names[0] != "help" {
				found = append(found, name+" "+dashed(names))
			}
		}
	}
	walk(root, root.Name)
	return found
}

func dashed(names []string) string {
	var all []string
	for _, name := range names {
		if len(name) > 1 {
			name = "-" + name
		}
		all = append(all, "-"+name)
	}
	return strings.Join(all, " ")
}

var code = regexp.MustCompile("`([^`]+)`")

// inTable lists the same of the page: of each row the first cell, whose flags are
// those of the commands that the heading names.
func inTable(page string) []string {
	var commands, found []string
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		switch {
		case strings.HasPrefix(line, "#"):
			commands = spans(line)
		case len(cells) > 3:
			row := spans(cells[1])
			if len(row) > 0 && strings.HasPrefix(row[0], "lego") {
				found = append(found, row[0])
			} else if len(row) > 0 {
				for _, command := range commands {
					found = append(found, command+" "+strings.Join(row, " "))
				}
			}
		}
	}
	return found
}

func spans(text string) []string {
	var all []string
	for _, match := range code.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}
