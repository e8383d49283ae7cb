package acme

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/fuzzing"
	"pylego/engine/transport"
)

const pemBlock = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

// answer reads bytes as an HTTP answer; what is none is the body of one.
func answer(data []byte) *transport.Response {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		return &transport.Response{Status: http.StatusOK, Header: http.Header{}, Body: data}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // what is there of one that was cut short
	return &transport.Response{Status: response.StatusCode, Header: response.Header, Body: body}
}

// known reports whether a program can tell what an error is: it is an answer of
// the CA's or has a code of the table.
func known(err error) bool {
	code := fault.CodeOf(err, "")
	return errors.As(err, new(*Problem)) || slices.ContainsFunc(fault.Table, func(entry fault.Entry) bool { return entry.Code == code })
}

func FuzzProblems(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		response := answer(data)
		problem := problemOf(response, "https://ca.example/order")
		if problem.Error() == "" || ShortType(problem.Type) == "" || problem.RetryAfter < 0 || problem.HTTPStatus != response.Status {
			t.Errorf("%+v", problem)
		}
		if found, refused := Refusal(problem); refused == problem.Page || found != problem {
			t.Errorf("a page: %t, a refusal: %t", problem.Page, refused)
		}
	},
		"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 120\r\n\r\n"+
			`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"slow down","status":429}`,
		`{"type":"urn:ietf:params:acme:error:compound","detail":"several","subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"no","identifier":{"type":"dns","value":"a.example"}}]}`,
		"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>nginx</html>",
		`{"type":":","detail":null,"status":"400"}`,
	)
}

// A directory is refused or has what an order needs, by https alone.
func FuzzDirectories(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		server := &Server{URL: "https://ca.example/directory", nonces: &nonces{}}
		if err := server.readDirectory(answer(data)); err != nil {
			if fault.CodeOf(err, "") != fault.LegoClientCreationFailed {
				t.Errorf("%v", err)
			}
			return
		}
		for _, url := range []string{server.Directory.NewNonceURL, server.Directory.NewAccountURL, server.Directory.NewOrderURL} {
			if err := transport.CheckURL(url); err != nil {
				t.Errorf("taken: %v", err)
			}
		}
	},
		`{"newNonce":"https://ca.example/nonce","newAccount":"https://ca.example/account","newOrder":"https://ca.example/order","meta":{"profiles":{"a":"b"},"externalAccountRequired":true}}`,
		"HTTP/1.1 200 OK\r\nReplay-Nonce: abc\r\n\r\n"+`{"newNonce":"http://ca.example/nonce","newAccount":"/account","newOrder":1}`,
	)
}

// ca answers every request with what a fuzz target is at, over the network as a
// CA does.
type ca struct {
	*httptest.Server
	response *transport.Response
}

// carried are the headers that we read. Retry-After is not among them: it would
// have the next input wait; FuzzRetryAfter in transport reads it.
var carried = []string{"Content-Type", "Link", "Location"}

func (c *ca) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for _, name := range carried {
		for _, value := range c.response.Header.Values(name) {
			w.Header().Add(name, value)
		}
	}
	w.Header().Set("Replay-Nonce", "nonce")
	if c.response.Status < http.StatusOK { // there is more to come
		c.response.Status = http.StatusOK
	}
	w.WriteHeader(c.response.Status)
	_, _ = w.Write(c.response.Body)
}

// newCA starts one for a whole target, and gives an account there.
func newCA(f *testing.F) (*ca, *Account) {
	f.Helper()
	c := &ca{}
	c.Server = httptest.NewTLSServer(c)
	f.Cleanup(c.Close)
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}))
	client, err := transport.New(transport.Config{Trust: transport.Trust{PEM: root, NoSystem: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(client.Close)
	key := newKey(f)
	thumbprint, err := Thumbprint(key)
	if err != nil {
		f.Fatal(err)
	}
	server := &Server{URL: c.URL, client: client, accounts: map[string]*accountSlot{}}
	server.Directory = legoacme.Directory{NewNonceURL: c.URL, NewAccountURL: c.URL, NewOrderURL: c.URL}
	server.nonces = &nonces{client: client, url: func() string { return c.URL }}
	old := backOff
	backOff = nil
	f.Cleanup(func() { backOff = old })
	return c, &Account{Server: server, URL: c.URL, Key: key, thumbprint: thumbprint}
}

// Every request gets the same answer: what comes of it can be used as what was
// asked for, or is an error that a program can tell.
func FuzzAnswers(f *testing.F) {
	c, account := newCA(f)
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		c.response = answer(data)
		order, orderErr := account.NewOrder(t.Context(), OrderRequest{})
		if orderErr == nil && order.URL == "" {
			t.Error("an order without a URL")
		}
		url, accountErr := account.Server.newAccount(t.Context(), account.Key, Registration{})
		if accountErr == nil && url == "" {
			t.Error("an account without a URL")
		}
		authorization, authorizationErr := account.Authorization(t.Context(), c.URL)
		if authorizationErr == nil {
			for _, kind := range authorization.Types() {
				if challenge := authorization.Challenge(kind); challenge == nil || !strings.HasPrefix(authorization.Answer(challenge).KeyAuthorization, challenge.Token+".") {
					t.Errorf("%q is offered, but is not there", kind)
				}
			}
		}
		_, nonceErr := newNonce(t.Context(), account.Server.client, c.URL)
		chain, _, chainErr := account.Certificate(t.Context(), c.URL)
		if chainErr == nil {
			checkChain(t, chain)
		}
		for what, err := range map[string]error{"order": orderErr, "account": accountErr, "authorization": authorizationErr, "nonce": nonceErr, "chain": chainErr} {
			if err != nil && !known(err) {
				t.Errorf("%s: %T %v", what, err, err)
			}
		}
	},
		"HTTP/1.1 201 Created\r\nLocation: https://ca.example/order/1\r\n\r\n"+
			`{"status":"pending","identifiers":[{"type":"dns","value":"a.example"}],"authorizations":["https://ca.example/authz/1"],"finalize":"https://ca.example/finalize/1"}`,
		`{"status":"pending","expires":"2030-01-02T03:04:05Z","identifier":{"type":"dns","value":"a.example"},"challenges":[{"type":"http-01","url":"https://ca.example/chall/1","token":"abc","status":"pending","error":{"type":"urn:x","detail":"d"}}],"wildcard":true}`,
		"HTTP/1.1 200 OK\r\nContent-Type: application/pem-certificate-chain\r\nLink: <https://ca.example/cert/1/alternate>;rel=\"alternate\"\r\n\r\n"+pemBlock+pemBlock,
		pemBlock+strings.ReplaceAll(pemBlock, "CERTIFICATE", "PRIVATE KEY"),
		strings.Replace(pemBlock, "AAAA", "Name: value\n\nAAAA", 1)+pemBlock,
		"HTTP/1.1 400 Bad Request\r\n\r\n"+`{"type":"urn:ietf:params:acme:error:malformed","detail":"no"}`,
		"HTTP/1.1 503 Service Unavailable\r\n\r\nlater",
	)
}

// checkChain sees PEM certificates and nothing else, as RFC 8555 section 9.1 asks.
func checkChain(t *testing.T, chain *Chain) {
	t.Helper()
	for rest := []byte(chain.Leaf + chain.Issuer); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			t.Fatalf("%q", chain)
		}
	}
}

// Links are those of RFC 8288: no more of them than the header has targets.
func FuzzLinks(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		header := http.Header{"Link": strings.Split(string(data), "\n")}
		urls := alternates(header)
		if most := bytes.Count(data, []byte("<")); len(urls) > most {
			t.Errorf("%q of %d", urls, most)
		}
		for _, url := range urls {
			if !strings.Contains(string(data), "<"+url+">") {
				t.Errorf("%q is made up", url)
			}
		}
	},
		`<https://ca.example/cert/1>;rel="alternate"`, "<https://ca.example/directory>;rel=\"index\"\n<https://ca.example/cert/1>; rel=alternate ; title=x",
		`<a>;rel="alternate", <b>;rel="alternate"`, `<a>;rel="up alternate"`, "<>;rel=,;",
	)
}
