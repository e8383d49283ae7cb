// Command lego is lego itself, with its whole command line, and the processes
// that pylego's engine starts: `lego provider` hosts one DNS provider.
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

	"pylego/engine/bridge"
	"pylego/engine/child"
	"pylego/engine/providerhost"
)

//go:generate go run names_generate.go

func main() {
	// Before lego's own commands: these are no part of its command line, and its
	// help does not list them.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "provider":
			os.Exit(provider(os.Args[2:]))
		case "serve":
			os.Exit(serve(os.Args[2:]))
		}
	}
	commandLine()
}

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
	if parent, err := strconv.Atoi(args[0]); err != nil || !child.Of(parent) {
		return 0
	}
	executable, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = bridge.CaptureOutput()
	}
	if err == nil {
		providerhost.SetExecutable(executable)
		err = bridge.Serve(bridge.Operations, calls, messages, child.Orphaned())
	}
	if err != nil {
		fmt.Fprintln(stderr, "lego serve:", err)
		return 2
	}
	return 0
}

// stderr is the process's own, also where everything that prints is captured.
var stderr = os.Stderr

func isPipe(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// commandLine is lego's main.
func commandLine() {
	app := cmd.CreateRootCommand()
	app.Version = version()
	cli.VersionPrinter = func(cmd *cli.Command) {
		fmt.Printf("lego version %s %s/%s\n", cmd.Version, runtime.GOOS, runtime.GOARCH)
	}

	if err := app.Run(context.Background(), os.Args); err != nil {
		log.Fatal("Error", log.ErrorAttr(err))
	}
}

// version is lego's, not pylego's: what `lego --version` says is about lego.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/go-acme/lego/v5" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
