package testca

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

func TestCertificatesByEveryChallenge(t *testing.T) {
	t.Parallel()

	server := start(t, Config{Strict: true})
	core := newAccount(t, server)

	for challenge := range answers {
		chains := obtain(t, server, core, challenge, "a.example", "b.a.example")
		if err := verify(t, chains[0], server.Info().Roots[0], "b.a.example"); err != nil {
			t.Errorf("%s: %v", challenge, err)
		}
	}
}

func TestWhatWasPresentedIsCleanedUp(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	obtain(t, server, newAccount(t, server), "dns-01", "*.a.example", "a.example")

	var presented, cleanedUp []string

	for _, change := range server.DNS().Log() {
		switch change.Action {
		case Presented:
			presented = append(presented, change.Name+" "+change.Value)
		case CleanedUp:
			cleanedUp = append(cleanedUp, change.Name+" "+change.Value)
		}
	}

	if len(presented) != 2 || !slices.Equal(presented, cleanedUp) {
		t.Errorf("presented %q, cleaned up %q", presented, cleanedUp)
	}

	if left := server.DNS().Records(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestChainsRootsAndProfiles(t *testing.T) {
	t.Parallel()

	server := start(t, Config{
		ChainLength: 3, AlternateRoots: 2,
		Profiles: map[string]Profile{"short": {Description: "an hour", ValiditySeconds: 3600}},
	})
	info := server.Info()
	chains := obtain(t, server, newAccount(t, server), "http-01", "a.example")

	if len(info.Roots) != 3 || len(info.Intermediates) != 3 || len(chains) != 3 {
		t.Fatalf("%d roots, %d intermediates, %d chains", len(info.Roots), len(info.Intermediates), len(chains))
	}

	if err := verify(t, chains[0], info.Roots[0], "a.example"); err != nil {
		t.Error(err)
	}

	if err := verify(t, chains[0], info.Roots[1], "a.example"); err == nil {
		t.Error("the default chain leads to the alternate root")
	}

	if told := parse(t, []byte(info.Intermediates[0])); len(told) != 3 || !told[0].Equal(chains[0][1]) {
		t.Errorf("%d intermediates told, the chain has %d", len(told), len(chains[0])-1)
	}

	if validity := chains[0][0].NotAfter.Sub(chains[0][0].NotBefore); validity > time.Hour {
		t.Errorf("valid for %s", validity)
	}
}

func TestAValidAuthorizationIsUsedAgainOnlyWhereAsked(t *testing.T) {
	t.Parallel()

	for _, percent := range []int{0, 100} {
		server := start(t, Config{AuthzReuse: percent})
		core := newAccount(t, server)
		obtain(t, server, core, "dns-01", "a.example")

		// At Pebble's own 0 percent, the chance to see none here were one in ten thousand.
		for range 900 / (percent + 1) {
			order, err := core.Orders.New(t.Context(), []string{"a.example"}, nil)
			if err != nil {
				t.Fatal(err)
			}

			if used := order.Status == legoacme.StatusReady; used != (percent == 100) {
				t.Fatalf("%d percent: the order is %s", percent, order.Status)
			}
		}
	}
}

func TestExternalAccountIsRequiredAndTaken(t *testing.T) {
	t.Parallel()

	const hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

	server := start(t, Config{ExternalAccounts: map[string]string{"kid-1": hmac}})
	account := legoacme.Account{TermsOfServiceAgreed: true}

	_, err := newClient(t, server).Accounts.New(t.Context(), account)
	if err == nil || !strings.Contains(err.Error(), "externalAccountRequired") {
		t.Errorf("without a binding: %v", err)
	}

	if _, err := newClient(t, server).Accounts.NewEAB(t.Context(), account, "kid-1", hmac); err != nil {
		t.Errorf("with a binding: %v", err)
	}
}

func TestABlockedNameIsRejectedAndItsParentIsNoPanic(t *testing.T) {
	t.Parallel()

	server := start(t, Config{BlockedNames: []string{"blocked.a.example"}})
	core := newAccount(t, server)

	for name, want := range map[string]string{
		"x.blocked.a.example": "rejectedIdentifier",
		"a.example":           "serverInternal", // Pebble compares beyond the end of the shorter name
	} {
		_, err := core.Orders.New(t.Context(), []string{name}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAddressThatNobodyListensOnFailsTheChallenge(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	if err := server.DNS().SetA("a.example"); err != nil {
		t.Fatal(err)
	}

	core := newAccount(t, server)

	order, err := core.Orders.New(t.Context(), []string{"a.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}

	status := validate(t.Context(), t, server, core, "http-01", order.Authorizations[0])
	if status != legoacme.StatusInvalid {
		t.Errorf("the authorization is %s", status)
	}
}

func TestBadConfigurationIsRefusedWithoutTheKeyInTheText(t *testing.T) {
	t.Parallel()

	for name, cfg := range map[string]Config{
		"nonce_reject":     {NonceReject: 101},
		"chain_length":     {ChainLength: -1},
		"key_algorithm":    {KeyAlgorithm: "dsa"},
		"addresses":        {Addresses: []string{"localhost"}},
		"blocked_names":    {BlockedNames: []string{""}},
		"external_account": {ExternalAccounts: map[string]string{"kid": "not/base64!"}},
	} {
		server, err := Start(t.Context(), cfg)

		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Code != fault.InvalidArguments || server != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}

		if strings.Contains(err.Error(), "base64!") {
			t.Errorf("%s: the key is in %q", name, err)
		}
	}
}

// Not parallel: it looks at the whole process.
func TestTheEnvironmentIsAsBefore(t *testing.T) {
	t.Setenv("PEBBLE_VA_ALWAYS_VALID", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "100")

	before := os.Environ()
	server := start(t, Config{})

	if after := os.Environ(); !slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(after))) {
		t.Errorf("before %q, after %q", before, after)
	}

	newAccount(t, server) // what the process inherited did not count: with 100 percent this would not end
}

// Not parallel: it counts the goroutines of the whole process.
func TestCloseFreesPortsAndEndsGoroutines(t *testing.T) {
	server, err := Start(t.Context(), Config{Addresses: []string{"127.0.0.1", "::1"}})
	if err != nil {
		t.Fatal(err)
	}

	client := httpClient(t, server)
	if err := server.SetFaults(Faults{DelayMS: 3_600_000, Path: "newNonce"}); err != nil {
		t.Fatal(err)
	}

	server.DNS().SetDelay("", time.Hour)

	ended := make(chan error, 2)
	go func() { ended <- get(client, strings.Replace(server.Info().Directory, "/dir", noncePath, 1)) }()
	go func() { ended <- lookup(server) }()

	eventually(t, "the requests arrive", func() bool {
		stacks := allStacks()
		return strings.Contains(stacks, "testca.sleep(") && strings.Contains(stacks, "testca.(*DNS).pause(")
	})

	for range 2 { // closing twice is no error
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}

	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a request in flight was answered")
		}
	}

	for _, address := range addresses(server.Info()) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}

		_ = listener.Close()
	}

	client.CloseIdleConnections()
	eventually(t, "no goroutine is left but Pebble's loop", func() bool {
		stacks := strings.ReplaceAll(allStacks(), "va.VAImpl.processTasks", "")
		return !strings.Contains(stacks, "http.(*Server)") && !strings.Contains(stacks, "dns.(*Server)") &&
			!strings.Contains(stacks, "http.(*conn)") && !strings.Contains(stacks, "VAImpl.process(")
	})
}

func TestTwoServersHaveNothingInCommon(t *testing.T) {
	t.Parallel()

	var seen []string
	for range 3 {
		seen = append(seen, addresses(start(t, Config{}).Info())...)
	}

	slices.Sort(seen)

	if len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("an address twice: %q", seen)
	}
}

func TestHTTP2AndTheManagementHandler(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})

	for _, url := range []string{server.Info().Directory, server.Info().Management + "/roots/0"} {
		response, err := httpClient(t, server).Get(url)
		if err != nil {
			t.Fatal(err)
		}

		content, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()

		if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
			t.Errorf("%s: %s by %s", url, response.Status, response.Proto)
		}

		if strings.HasSuffix(url, "/roots/0") && string(content) != server.Info().Roots[0] {
			t.Errorf("another root: %s", content)
		}
	}
}

func TestRequestsAreCountedInTheTermsOfRFC8555(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	obtain(t, server, newAccount(t, server), "dns-01", "a.example")

	counted := slices.Sorted(maps.Keys(server.Requests()))
	want := []string{"authorization", "certificate", "challenge", "directory", "finalize", "newAccount", "newNonce", "newOrder"}

	for _, kind := range want {
		if !slices.Contains(counted, kind) {
			t.Errorf("%s is not in %q", kind, counted)
		}
	}

	if slices.Contains(counted, "other") {
		t.Errorf("a path of Pebble's has no name: %v", server.Requests())
	}
}

func addresses(info Info) []string {
	trim := strings.NewReplacer("https://", "", "http://", "", "/dir", "")

	return []string{
		trim.Replace(info.Directory), trim.Replace(info.Management), trim.Replace(info.HTTPReq), info.DNS,
		net.JoinHostPort("127.0.0.1", strconv.Itoa(info.HTTPPort)), net.JoinHostPort("127.0.0.1", strconv.Itoa(info.TLSPort)),
	}
}

func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err == nil {
		_ = response.Body.Close()
	}

	return err
}

func allStacks() string {
	buffer := make([]byte, 1<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

// eventually yields to other goroutines until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()

	for deadline := time.Now().Add(30 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s\n%s", what, allStacks())
		}
	}
}

func TestAServerOnThePortOfAnotherIsFreeOfItsLimits(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	directory := server.Info().Directory
	transport.Limit(directory, transport.Limits{NewOrders: transport.Frequency{Count: 1, Seconds: 3600}})

	client, err := transport.New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}

	for range 2 {
		done, err := client.Order(t.Context(), directory, func(string, time.Duration) { t.Error("it waits") })
		if err != nil {
			t.Fatal(err)
		}

		done()

		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}
