package transport

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"pylego/engine/fault"
)

func TestALineIsServedInItsOrder(t *testing.T) {
	t.Parallel()
	l := &line{size: 1}
	if err := l.enter(t.Context(), unheard); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var served []int
	var running sync.WaitGroup
	for i := range 50 {
		inLine := make(chan struct{})
		running.Go(func() {
			if err := l.enter(t.Context(), func() { close(inLine) }); err != nil {
				t.Error(err)
			}
			mu.Lock()
			served = append(served, i)
			mu.Unlock()
			l.leave()
		})
		<-inLine
	}
	l.leave()
	running.Wait()
	for i, who := range served {
		if who != i {
			t.Fatalf("%v", served)
		}
	}
}

func TestWhoLeavesTheLineHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	l := &line{size: 1}
	_ = l.enter(t.Context(), unheard)
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		inLine := make(chan struct{})
		go func() { ended <- l.enter(ctx, func() { close(inLine) }) }()
		<-inLine
		go cancel() // as its place becomes free
		l.leave()
		if err := <-ended; err == nil {
			l.leave()
		}
		if err := l.enter(t.Context(), unheard); err != nil || l.taken != 1 || len(l.queue) != 0 {
			t.Fatalf("%v, %d in, %d in line", err, l.taken, len(l.queue))
		}
	}
}

func TestALineThatGrowsLetsTheWaitingIn(t *testing.T) {
	t.Parallel()
	l := &line{size: 1}
	_ = l.enter(t.Context(), unheard)
	entered := make(chan error, 2)
	for range 2 {
		inLine := make(chan struct{})
		go func() { entered <- l.enter(t.Context(), func() { close(inLine) }) }()
		<-inLine
	}
	l.resize(2)
	if err := <-entered; err != nil {
		t.Error(err)
	}
	l.resize(NoLimit)
	if err := <-entered; err != nil {
		t.Error(err)
	}
}

func TestNoPeriodHasMoreThanItsPaceAllows(t *testing.T) {
	t.Parallel()
	most := Frequency{Count: 3, Seconds: 0.1}
	p := newPace(most)
	var moments []time.Time
	waits := 0
	for range 10 {
		if err := p.pass(t.Context(), func(wait time.Duration) { waits++ }); err != nil {
			t.Fatal(err)
		}
		moments = append(moments, time.Now())
	}
	for i := range len(moments) - 3 {
		// The moment is taken a little before the clock is read here.
		if between := moments[i+3].Sub(moments[i]); between < 80*time.Millisecond {
			t.Errorf("4 in %s", between)
		}
	}
	if waits == 0 || waits > 7 {
		t.Error(waits)
	}
	p.set(Frequency{Count: NoLimit})
	if err := p.pass(t.Context(), func(time.Duration) { t.Error("it waits") }); err != nil {
		t.Error(err)
	}
}

// expiring is a context whose deadline comes when a test wants it.
type expiring struct {
	context.Context
	over chan struct{}
}

func (e *expiring) Done() <-chan struct{} { return e.over }

func (e *expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestOrdersStandInLineAndATimeoutSaysSo(t *testing.T) {
	t.Parallel()
	const address = "https://orders.example/new"
	Limit(address, Limits{OrdersInFlight: 1})
	client := newClient(t, Trust{})
	done, err := client.Order(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := &expiring{t.Context(), make(chan struct{})}
	var told []string
	_, err = client.Order(ctx, address, func(why string, _ time.Duration) {
		told = append(told, why)
		close(ctx.over)
	})
	if codeOf(err) != fault.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "orders.example") {
		t.Errorf("%v", err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "orders.example") {
		t.Error(told)
	}
	done()
	done() // a second time does nothing
	if done, err = client.Order(t.Context(), address, nil); err != nil {
		t.Fatal(err)
	}
	done()

	Limit(address, Limits{NewOrders: Frequency{1, 3600}})
	if done, err = client.Order(t.Context(), address, nil); err != nil {
		t.Fatal(err)
	}
	done()
	cancelled, cancel := context.WithCancel(t.Context())
	_, err = client.Order(cancelled, address, func(_ string, wait time.Duration) {
		if wait < 59*time.Minute {
			t.Error(wait)
		}
		cancel()
	})
	if codeOf(err) != fault.Cancelled {
		t.Errorf("%v", err)
	}
}

func TestLetsEncryptIsAskedForTenOrdersInTenSeconds(t *testing.T) {
	t.Parallel()
	if most := limiterFor("acme-v02.api.letsencrypt.org").newOrders.most; most != (Frequency{10, 10}) {
		t.Error(most)
	}
	if most := limiterFor("127.0.0.1:1").newOrders.most; most.Count != 0 {
		t.Error(most)
	}
}

func TestWhatIsNotSaidStaysAsItIs(t *testing.T) {
	t.Parallel()
	const address = "https://x.zerossl.com"
	l := limiterFor(host(address))
	Limit(address, Limits{OrdersInFlight: 5})
	if l.rate.Limit() != 7 || l.orders.size != 5 || l.requests.size != inFlight {
		t.Errorf("%v %d %d", l.rate.Limit(), l.orders.size, l.requests.size)
	}
	Limit(address, Limits{RequestsPerSecond: 0.5, RequestsInFlight: NoLimit, OrdersInFlight: NoLimit})
	if l.rate.Limit() != 0.5 || l.rate.Burst() != 1 || l.orders.size != NoLimit || l.requests.size != NoLimit {
		t.Errorf("%v", l.rate.Limit())
	}
	Limit(address, Limits{RequestsPerSecond: NoLimit})
	if l.rate.Limit() != rate.Inf {
		t.Errorf("%v", l.rate.Limit())
	}
}

func TestSettingsThatCannotBeUsedAreNamed(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]Config{
		"ip_version=5":           {IPVersion: 5},
		"user_agent":             {UserAgent: "a\r\nHost: b"},
		"printable":              {UserAgent: "ä"},
		"http://, https://":      {Proxy: Proxy{URL: "ftp://secret@proxy"}},
		"is not a URL":           {Proxy: Proxy{URL: "http://:3128"}},
		"trust holds no PEM":     {Trust: Trust{PEM: "/etc/ssl/cert.pem"}},
		"no such file":           {Trust: Trust{Files: []string{"/nowhere/root.pem"}}},
		"new_orders":             {Limits: Limits{NewOrders: Frequency{0, 10}}},
		"a day":                  {Limits: Limits{NewOrders: Frequency{1, math.Inf(1)}}},
		"requests_per_second=-3": {Limits: Limits{RequestsPerSecond: -3}},
		"requests_in_flight=-2":  {Limits: Limits{RequestsInFlight: -2}},
		"orders_in_flight=-2":    {Limits: Limits{OrdersInFlight: -2}},
	} {
		err := config.Check()
		if codeOf(err) != fault.InvalidArguments || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (Config{IPVersion: 6, UserAgent: "mine/1 (me@example.com)", Proxy: Proxy{Direct: true}, Limits: Limits{NewOrders: Frequency{NoLimit, 0}}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestACallSaysHowItsRequestsAreSent(t *testing.T) {
	t.Parallel()
	agents := make(chan string, 1)
	server, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { agents <- r.UserAgent() })
	ask := func(config Config) error {
		client, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = client.Get(t.Context(), server.URL)
		return err
	}
	trusting := Config{Trust: Trust{Insecure: true, NoSystem: true}, UserAgent: "mine/1 (me@example.com)", IPVersion: 4}
	if err := ask(trusting); err != nil {
		t.Fatal(err)
	}
	if agent := <-agents; !strings.HasPrefix(agent, "mine/1 (me@example.com) pylego/") || !strings.Contains(agent, " lego/"+lego+" (") {
		t.Error(agent)
	}
	trusting.IPVersion = 6
	if err := ask(trusting); codeOf(err) != fault.NetworkError { // it listens on 127.0.0.1
		t.Errorf("%v", err)
	}
	trusting.IPVersion, trusting.Proxy.URL = 0, "127.0.0.1:1"
	if err := ask(trusting); codeOf(err) != fault.NetworkError || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("%v", err)
	}
	trusting.Trust.Insecure = false
	if err := ask(trusting); err == nil {
		t.Error("trusted")
	}
}
