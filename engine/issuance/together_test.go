package issuance

import (
	"fmt"
	"sync"
	"testing"

	"pylego/engine/testca"
)

// together runs count orders at once and returns their errors.
func together(t *testing.T, count int, input func(i int) ObtainInput) {
	t.Helper()
	var running sync.WaitGroup
	for i := range count {
		in := input(i)
		running.Go(func() {
			if _, _, err := obtain(t, in); err != nil {
				t.Errorf("order %d: %v", i, err)
			}
		})
	}
	running.Wait()
}

func Test64OrdersAtOnceOnOnePort(t *testing.T) {
	t.Parallel()
	for _, challenge := range []func(*testca.Server) Challenge{http01, tlsALPN01} {
		ca := startCA(t, testca.Config{})
		together(t, 64, func(i int) ObtainInput {
			in := inputFor(t, ca, fmt.Sprintf("n%d.example", i))
			in.Challenges = []Challenge{challenge(ca)}
			return in
		})
		if !portIsFree(ca.Info().HTTPPort) || !portIsFree(ca.Info().TLSPort) {
			t.Error("a port is still bound")
		}
	}
}

func Test64OrdersOfOneAccountAskForDirectoryAndAccountOnce(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	account := inputFor(t, ca).Account
	together(t, 64, func(i int) ObtainInput {
		in := inputFor(t, ca, fmt.Sprintf("n%d.example", i))
		in.Account = account
		return in
	})
	asked := ca.Requests()
	if asked["directory"] != 1 || asked["newAccount"] != 1 {
		t.Errorf("%v", asked)
	}
}

func TestTwoOrdersOfTheSameNamesAtOnce(t *testing.T) {
	t.Parallel()
	for _, challenge := range []func(*testca.Server) Challenge{http01, tlsALPN01} {
		ca := startCA(t, testca.Config{})
		account := inputFor(t, ca).Account
		together(t, 4, func(i int) ObtainInput {
			in := inputFor(t, ca, "a.example", "b.example", "c.example")
			in.Challenges = []Challenge{challenge(ca)}
			if i%2 == 0 { // of one account, and of others
				in.Account = account
			}
			return in
		})
	}
}
