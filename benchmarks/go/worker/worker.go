// Package worker lets the benchmark's Go programs be asked for certificates over
// stdin, one JSON line each, so that they stay warm and take turns with others.
package worker

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Command asks for certificates. Its fields are those of benchmarks/peers.py.
type Command struct {
	Directory   string     `json:"directory"`
	Trust       string     `json:"trust"` // PEM file
	Port        int        `json:"port"`  // for http-01
	Orders      [][]string `json:"orders"`
	AtOnce      int        `json:"at_once"`
	SameAccount bool       `json:"same_account"` // the first order makes it, untimed
	DNS         *DNS       `json:"dns"`          // instead of http-01
}

// DNS is how names are validated by dns-01.
type DNS struct {
	Variables []map[string]string `json:"variables"` // of lego's provider: one set for each credentials
}

// Answer is the time from the first order's begin to the last one's end.
type Answer struct {
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// Account obtains certificates at one CA.
type Account interface {
	Obtain(ctx context.Context, names []string) error
}

// Program makes a new account, keys and all.
type Program func(ctx context.Context, command Command, responder *Responder) (Account, error)

// Serve answers commands until stdin ends.
func Serve(program Program) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var command Command
		answer := Answer{}
		err := json.Unmarshal(lines.Bytes(), &command)
		if err == nil {
			answer.Seconds, err = run(program, command)
		}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			os.Exit(1)
		}
	}
}

func run(program Program, command Command) (float64, error) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	// Before and after the measured time: the floor has nothing to wait for.
	responder, err := Listen(command.Port)
	if err != nil {
		return 0, err
	}
	defer responder.Close()

	orders := command.Orders
	open := func() (Account, error) { return program(ctx, command, responder) }
	if command.SameAccount {
		account, err := open()
		if err != nil {
			return 0, err
		}
		if err := account.Obtain(ctx, orders[0]); err != nil {
			return 0, err
		}
		orders, open = orders[1:], func() (Account, error) { return account, nil }
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, command.AtOnce))
	began := time.Now()
	for _, names := range orders {
		group.Go(func() error {
			account, err := open()
			if err != nil {
				return err
			}
			return account.Obtain(ctx, names)
		})
	}
	err = group.Wait()
	return time.Since(began).Seconds(), err
}

// Transport is a fresh HTTP/2 transport that trusts the PEM file's roots.
func Transport(trust string) (*http.Transport, error) {
	data, err := os.ReadFile(trust)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate", trust)
	}
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 32,
	}, nil
}
