package transport

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pylego/engine/fault"
	"pylego/engine/fuzzing"
)

func FuzzRoots(f *testing.F) {
	server := httptest.NewTLSServer(nil)
	server.Close()
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		trust := Trust{PEM: string(data), NoSystem: true}
		roots, err := trust.given()
		switch {
		case err != nil && fault.CodeOf(err, "") != fault.LegoClientCreationFailed:
			t.Errorf("%v", err)
		case err == nil && len(data) > 0 && roots.Equal(x509.NewCertPool()):
			t.Error("trusts nothing, and says nothing")
		}
	}, root, "a comment\n"+root+root, strings.Replace(root, "CERTIFICATE", "TRUSTED CERTIFICATE", 2))
}

func FuzzRetryAfter(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		response := &Response{Header: http.Header{"Retry-After": {string(data)}}}
		if wait := response.RetryAfter(); wait < 0 || time.Now().Add(wait).Before(time.Now().Add(-time.Second)) {
			t.Errorf("a wait of %v", wait)
		}
	}, "120", "99999999999999999999", "-1", "Fri, 31 Dec 2100 23:59:59 GMT", "Friday, 31-Dec-99 23:59:59 GMT")
}

// A URL that is taken can be asked, at a host that it names.
func FuzzURLs(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		address := string(data)
		if err := CheckURL(address); err != nil {
			if fault.CodeOf(err, "") != fault.InvalidArguments {
				t.Errorf("%v", err)
			}
			return
		}
		request, err := http.NewRequest(http.MethodPost, address, nil)
		if err != nil {
			t.Fatalf("taken, but no request can be made: %v", err)
		}
		if request.URL.Scheme != "https" || request.URL.Hostname() == "" || host(address) == "" || host(address) != host(request.URL.String()) {
			t.Errorf("%q is asked at %q, limited as %q", address, request.URL.Host, host(address))
		}
	}, "https://ca.example/directory", "https://user:password@[::1]:14000/dir?a=b#c", "http://ca.example", "https://:443/", "HTTPS://CA.EXAMPLE:")
}

// A proxy that is taken is used: a request never goes out beside it, and the
// setting, which may hold a password, is in no error.
func FuzzProxies(f *testing.F) {
	const password = "s3cret"
	target := httptest.NewRequest(http.MethodGet, "https://ca.example/directory", nil)
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		setting := string(data)
		proxy, err := Proxy{HTTPS: setting}.function()
		if err != nil {
			if fault.CodeOf(err, "") != fault.InvalidEnvironment || strings.Contains(err.Error(), password) {
				t.Errorf("%v", err)
			}
			return
		}
		if found, err := proxy(target); setting != "" && found == nil && err == nil {
			t.Errorf("%q is passed by", setting)
		}
	}, "http://user:"+password+"@proxy.example:3128", "proxy.example:3128", "socks5://127.0.0.1:1080", "//"+password+":x", "ftp://proxy.example")
}
