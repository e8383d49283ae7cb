// Command lego is lego itself, with its whole command line, and the processes
// that pylego's engine starts: `lego provider` hosts one DNS provider. `lego storage`
// tells what a configuration file of lego's says of its folder.
//
// It is the only program that links lego's providers and their SDKs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-acme/lego/v5/cmd"
	"github.com/go-acme/lego/v5/log"
	"github.com/go-acme/lego/v5/providers/dns"
	"github.com/urfave/cli/v3"
	"gopkg.in/yaml.v3"

	"pylego/engine/bridge"
	"pylego/engine/child"
	"pylego/engine/providerhost"
)

//go:generate go run names_generate.go

func main() {
	if len(os.Args) > 1 {
		if run, is := ours[os.Args[1]]; is {
			os.Exit(run(os.Args[2:]))
		}
	}
	commandLine()
}

// ours are looked for before lego's own commands: they are no part of its command
// line, and its help does not list them. A test sees that lego has none of these names.
var ours = map[string]func([]string) int{"provider": provider, "serve": serve, "storage": storage}

func provider(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "lego provider is started by pylego's engine, not by hand")
		return 2
	}
	return providerhost.Serve(args[0], dns.NewDNSChallengeProviderByName, providerNames)
}

// serve is the engine over stdin and stdout. Its argument is the process ID of the
// program that started it, which may have ended before we could look.
func serve(args []string) int {
	calls, messages := os.Stdin, os.Stdout // before everything else that prints is captured
	if len(args) != 1 || !isPipe(calls) || !isPipe(messages) {
		fmt.Fprintln(os.Stderr, "lego serve is started by pylego, not by hand")
		return 2
	}
	child.CloseInherited()
	child.DropSignals()
	parent, err := strconv.Atoi(args[0])
	if err != nil || !child.Of(parent) {
		return 0
	}
	executable, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = child.EndTogether()
	}
	if err == nil {
		err = bridge.CaptureOutput()
	}
	if err == nil {
		providerhost.SetExecutable(executable)
		err = bridge.Serve(bridge.Operations, calls, messages, child.Orphaned(parent))
	}
	if err != nil {
		fmt.Fprintln(stderr, "lego serve:", err)
		return 2
	}
	return 0
}

// storage prints the folder that a configuration file of lego's names, as lego reads it
// (its configuration.ReadConfiguration, which is internal); nothing where it names none.
func storage(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "lego storage is started by pylego, not by hand")
		return 2
	}
	var configuration struct {
		Storage string `yaml:"storage"`
	}
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = yaml.Unmarshal(text, &configuration)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lego storage:", err)
		return 1
	}
	fmt.Print(configuration.Storage)
	return 0
}

// stderr is the process's own, also where everything that prints is captured.
var stderr = os.Stderr

func isPipe(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// commandLine is lego's main; a test compares them.
func commandLine() {
	app := cmd.CreateRootCommand()
	app.Version = getVersion()

	cli.VersionPrinter = func(cmd *cli.Command) {
		fmt.Printf("lego version %s %s/%s\n", cmd.Version, runtime.GOOS, runtime.GOARCH)
	}

	err := app.Run(context.Background(), os.Args)
	if err != nil {
		log.Fatal("Error", log.ErrorAttr(err))
	}
}

// getVersion is lego's, not pylego's: what `lego --version` says is about lego.
func getVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/go-acme/lego/v5" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
