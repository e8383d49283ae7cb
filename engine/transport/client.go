// Package transport carries HTTPS requests to CAs: trust, proxies, limits.
package transport

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"pylego/engine/fault"
	"pylego/engine/system"
)

const (
	// maxBody is far above any ACME object; certificate chains are the largest.
	maxBody = 4 << 20
	// requestTimeout ends one request that nobody answers; the operation's own deadline may end it sooner.
	requestTimeout = 60 * time.Second
)

// Version is told to CAs in the User-Agent (RFC 8555 section 6.1); set by the build (-ldflags -X).
var Version = "dev"

// Config says how a CA is reached.
type Config struct {
	Trust     Trust  `json:"trust,omitzero"`
	Proxy     Proxy  `json:"proxy,omitzero"`
	IPVersion int    `json:"ip_version,omitempty"` // 4 or 6; 0: either
	UserAgent string `json:"user_agent,omitempty"` // put before ours
	Limits    Limits `json:"limits,omitzero"`
}

// Proxy has the settings of the environment under their own names, or what the
// call itself says.
type Proxy struct {
	HTTPS  string `json:"-"`
	No     string `json:"-"`
	URL    string `json:"url,omitempty"`    // for every CA, also on this machine
	Direct bool   `json:"direct,omitempty"` // none, whatever the environment says
}

// Check finds what a call itself has set and cannot be used, before any network.
func (c Config) Check() error {
	if err := c.Trust.check(); err != nil {
		return err
	}
	if c.Proxy.URL != "" && proxyURL(c.Proxy.URL) == nil {
		return fault.New(fault.InvalidArguments, "the proxy is not a URL: allowed are http://, https:// and socks5://, with a host and a port")
	}
	if c.IPVersion != 0 && c.IPVersion != 4 && c.IPVersion != 6 {
		return fault.New(fault.InvalidArguments, "ip_version=%d is not known: allowed are 4 and 6", c.IPVersion)
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fault.New(fault.InvalidArguments, "user_agent=%q cannot be sent: it is one line of printable ASCII (RFC 9110 section 10.1.5)", c.UserAgent)
	}
	return c.Limits.check()
}

// Fingerprint is equal for configurations that may share connections: every field
// counts, also one that is yet to come. Limits belong to a CA's host.
func (c Config) Fingerprint() string {
	c.Limits = Limits{}
	return fmt.Sprintf("%#v %s", c, c.Trust.states())
}

// Client sends requests and reads whole, bounded answers. It follows no
// redirect of a POST and none away from https.
type Client struct {
	http      *http.Client
	userAgent string
}

// New reads the trust files; a bad one fails here, and only here.
func New(config Config) (*Client, error) {
	carrier, err := config.carrier()
	if err != nil {
		return nil, err
	}
	agent := fmt.Sprintf("pylego/%s lego/%s (%s; %s)", Version, lego, runtime.GOOS, runtime.GOARCH)
	if config.UserAgent != "" {
		agent = config.UserAgent + " " + agent
	}
	return &Client{
		userAgent: agent,
		http: &http.Client{
			Timeout:       requestTimeout,
			CheckRedirect: checkRedirect,
			Transport:     carrier,
		},
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Response is an answer, read to its end.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RoundTrip time.Duration
}

// RetryAfter reads the header of RFC 9110 section 10.2.3: seconds or a date; 0 if
// there is none. The date is by the clock that the answer's own Date shows: ours
// may be minutes off, and would wait as much too long, or not at all.
func (r *Response) RetryAfter() time.Duration {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, math.MaxInt32)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		now, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(0, date.Sub(now))
	}
	return 0
}

// Get fetches a resource that needs no signature.
func (c *Client) Get(ctx context.Context, address string) (*Response, error) {
	return c.do(ctx, http.MethodGet, address, "", nil)
}

// Head asks for headers alone, as newNonce does (RFC 8555 section 7.2).
func (c *Client) Head(ctx context.Context, address string) (*Response, error) {
	limits := limiterFor(host(address))
	if err := limits.newNonce.enter(ctx, unheard); err != nil {
		return nil, err
	}
	defer limits.newNonce.leave()
	return c.do(ctx, http.MethodHead, address, "", nil)
}

// PauseWithin is an error at once where a pause that the CA has asked for lasts
// longer than the caller's time.
func (c *Client) PauseWithin(ctx context.Context, address string) error {
	return limiterFor(host(address)).pauseWithin(ctx)
}

// Post sends a JWS (RFC 8555 section 6.2).
func (c *Client) Post(ctx context.Context, address string, body []byte) (*Response, error) {
	return c.do(ctx, http.MethodPost, address, "application/jose+json", body)
}

// PostForm sends a form, to what belongs to a CA and speaks no ACME.
func (c *Client) PostForm(ctx context.Context, address string, form url.Values) (*Response, error) {
	return c.do(ctx, http.MethodPost, address, "application/x-www-form-urlencoded", []byte(form.Encode()))
}

func (c *Client) do(ctx context.Context, method, address, contentType string, body []byte) (*Response, error) {
	if err := CheckURL(address); err != nil {
		return nil, err
	}
	limits := limiterFor(host(address))
	if err := limits.acquire(ctx); err != nil {
		if fault.CodeOf(err, "") != "" {
			return nil, err
		}
		return nil, fault.Interrupted(err, "%s could not be asked yet", address)
	}
	defer limits.release()

	sent, stop := onTheWire(ctx)
	defer stop()
	request, err := http.NewRequestWithContext(sent, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.NetworkError, err, "cannot make a request to %s", address)
	}
	request.Header.Set("User-Agent", c.userAgent)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	began := time.Now()
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, address, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil && ctx.Err() == nil {
		return nil, fault.Wrap(fault.NetworkError, err, "the answer of %s broke off", address)
	}
	if err != nil || sent.Err() != nil { // a whole one may be the server's answer to our hanging up
		return nil, unreachable(ctx, address, err)
	}
	if len(data) > maxBody {
		return nil, fault.New(fault.CertificateObtainFailed, "%s answered with more than %d MB", address, maxBody>>20)
	}
	response := &Response{Status: answer.StatusCode, Header: answer.Header, Body: data, RoundTrip: time.Since(began)}
	if response.Status == http.StatusTooManyRequests || response.Status == http.StatusServiceUnavailable {
		limits.pause(min(response.RetryAfter(), MaxPause))
	}
	return response, nil
}

type graceKey struct{}

// Heard is for requests that create something: one that is on its way when ctx
// ends is waited for a little longer, so that what it has created can be given up.
func Heard(ctx context.Context, grace time.Duration) context.Context {
	return context.WithValue(ctx, graceKey{}, grace)
}

// onTheWire is the context of a request that is sent now.
func onTheWire(ctx context.Context) (context.Context, context.CancelFunc) {
	grace, patient := ctx.Value(graceKey{}).(time.Duration)
	if !patient {
		return ctx, func() {}
	}
	return system.Outliving(ctx, grace)
}

// MaxPause is the longest Retry-After that is waited for within a call; a
// longer one is the caller's to plan for, and comes with the error.
const MaxPause = 30 * time.Second

// CheckURL refuses everything but https (RFC 8555 section 6.1).
func CheckURL(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || !named(parsed) {
		return fault.New(fault.InvalidArguments, "%q is not a URL of an ACME server", address)
	}
	if parsed.Scheme != "https" {
		return fault.New(fault.InvalidArguments, "%s is refused: ACME servers are reached by https only (RFC 8555 section 6.1)", address)
	}
	return nil
}

func checkRedirect(request *http.Request, via []*http.Request) error {
	if request.URL.Scheme != "https" {
		return fault.New(fault.LegoClientCreationFailed, "%s redirects to %s, which is refused: ACME servers are reached by https only (RFC 8555 section 6.1)",
			via[0].URL.Host, request.URL.Redacted())
	}
	if len(via) >= 5 {
		return errors.New("more than 5 redirects")
	}
	if via[0].Method == http.MethodPost {
		return http.ErrUseLastResponse // a JWS is signed for one URL only
	}
	return nil
}

// function refuses a setting that is no URL, which httpproxy would ignore: the
// requests would go out directly. The setting may hold a password and is not quoted.
func (p Proxy) function() (func(*http.Request) (*url.URL, error), error) {
	switch {
	case p.Direct:
		p = Proxy{}
	case p.URL != "":
		return http.ProxyURL(proxyURL(p.URL)), nil
	case p.HTTPS != "" && proxyURL(p.HTTPS) == nil:
		return nil, fault.New(fault.InvalidEnvironment, "the proxy setting HTTPS_PROXY is not a URL")
	}
	proxy := (&httpproxy.Config{HTTPSProxy: p.HTTPS, NoProxy: p.No}).ProxyFunc()
	return func(request *http.Request) (*url.URL, error) { return proxy(request.URL) }, nil
}

// proxySchemes are those that net/http can use.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// proxyURL is nil for what is none; "host:port" will do.
func proxyURL(address string) *url.URL {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" || !slices.Contains(proxySchemes, parsed.Scheme) {
		return nil
	}
	return parsed
}

// named tells a host from "https://:443", which would be this machine, and from
// an IPv6 address without brackets, whose last part net/url takes for a port.
func named(address *url.URL) bool {
	name := address.Hostname()
	return name != "" && (!strings.Contains(name, ":") || strings.HasPrefix(address.Host, "["))
}

// host is equal for URLs of one server: a limit counts for all of them.
func host(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	name := strings.ToLower(parsed.Host)
	return strings.TrimSuffix(strings.TrimSuffix(name, ":443"), ":")
}

// unreachable explains a failed request. The caller's own deadline or
// cancellation is not the network's fault and stays what it is.
func unreachable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		return fault.Interrupted(ctx.Err(), "%s has not answered yet", address)
	}
	var (
		refused *fault.Error // by checkRedirect
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		other   x509.HostnameError
	)
	ca := host(address)
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &unknown):
		return fault.Wrap(fault.NetworkError, err, "%s has a certificate that no trusted root vouches for; name its root by trust=, or in SSL_CERT_FILE or LEGO_CA_CERTIFICATES", ca)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fault.Wrap(fault.NetworkError, err, "%s has a certificate that is not valid now (is this machine's clock right?)", ca)
	case errors.As(err, &other):
		return fault.Wrap(fault.NetworkError, err, "%s has a certificate of another name", ca)
	}
	return fault.Wrap(fault.NetworkError, err, "cannot reach %s", ca)
}
