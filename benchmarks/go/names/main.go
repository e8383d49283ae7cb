// The names of the benchmark: a DNS server in which every name is 127.0.0.1, and
// the API of lego's httpreq provider, whose TXT records that server shows at once.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"

	"github.com/letsencrypt/challtestsrv"
)

func main() {
	dns := flag.String("dns", "", "host:port to answer DNS on")
	api := flag.String("http", "", "host:port to take records on")
	flag.Parse()
	names, err := challtestsrv.New(challtestsrv.Config{
		DNSAddrs: []string{*dns},
		Log:      log.New(io.Discard, "", 0),
	})
	if err != nil {
		log.Fatal(err)
	}
	names.SetDefaultDNSIPv4("127.0.0.1")
	names.SetDefaultDNSIPv6("")
	names.Run()
	http.HandleFunc("POST /present", record(names.AddDNSTXTRecord))
	http.HandleFunc("POST /cleanup", record(func(name, _ string) { names.DeleteDNSTXTRecord(name) }))
	log.Fatal(http.ListenAndServe(*api, nil))
}

func record(change func(name, value string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var message struct{ FQDN, Value string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		change(message.FQDN, message.Value)
	}
}
