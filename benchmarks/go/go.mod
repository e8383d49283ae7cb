module pylego/benchmarks

go 1.25.0

require (
	github.com/go-acme/lego/v5 v5.3.1
	github.com/letsencrypt/challtestsrv v1.4.2
	golang.org/x/sync v0.22.0
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	github.com/letsencrypt/pebble/v2 v2.10.1 // indirect
	github.com/miekg/dns v1.1.72 // indirect
	golang.org/x/mod v0.37.0 // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/tools v0.47.0 // indirect
)

tool github.com/letsencrypt/pebble/v2/cmd/pebble
