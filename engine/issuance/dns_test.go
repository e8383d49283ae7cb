package issuance

import (
	"testing"

	"pylego/engine/caller"
)

func TestTheWayToNameServersIsReadFromTheOrdersEnvironmentAsLegoReadsIt(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "1": true, "false": false, "yes": false, "": false} {
		environment := caller.EnvironmentOf([]string{"LEGO_EXPERIMENTAL_DNS_TCP_ONLY=" + value})
		if got := (DNS{}).propagation(environment).TCPOnly; got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
