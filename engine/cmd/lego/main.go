// Command lego is lego itself, with its whole command line, and the processes
// that pylego's engine starts: `lego provider` hosts one DNS provider.
//
// It is the only program that links lego's providers and their SDKs.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/go-acme/lego/v5/cmd"
	"github.com/go-acme/lego/v5/log"
	"github.com/go-acme/lego/v5/providers/dns"
	"github.com/urfave/cli/v3"

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
			// case "serve": the engine over pipes.
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
