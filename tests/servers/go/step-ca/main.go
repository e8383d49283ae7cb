// step-ca as it is, but for what keeps keys in clouds and hardware: that takes minutes to compile.
package main

import (
	"flag"
	"fmt"
	"os"

	_ "github.com/smallstep/certificates/cas/softcas"
	"github.com/smallstep/certificates/commands"
	"github.com/urfave/cli"
	_ "go.step.sm/crypto/kms/softkms"
)

func main() {
	arguments := flag.NewFlagSet("step-ca", flag.ExitOnError)
	err := arguments.Parse(os.Args) // none of it: the command's own begin after the program's name
	if err == nil {
		err = commands.AppCommand.Run(cli.NewContext(cli.NewApp(), arguments, nil))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
