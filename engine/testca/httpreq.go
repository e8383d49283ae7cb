package testca

import (
	"encoding/json"
	"net/http"
)

// maxHTTPReqBody is far above what one name and one digest need.
const maxHTTPReqBody = 1 << 16

// httpreq is the other end of lego's httpreq provider: each POST sets or
// removes one TXT value in the DNS.
type httpreq struct{ dns *DNS }

func (h httpreq) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	act := map[string]func(name, value string){
		"/present": h.dns.AddTXT,
		"/cleanup": h.dns.RemoveTXT,
	}[r.URL.Path]

	if act == nil {
		http.NotFound(w, r)
		return
	}

	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}

	var message struct {
		FQDN  string `json:"fqdn"`
		Value string `json:"value"`
	}

	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxHTTPReqBody)).Decode(&message)
	if err != nil || message.FQDN == "" || message.Value == "" {
		http.Error(w, `a JSON object with "fqdn" and "value" is needed`, http.StatusBadRequest)
		return
	}

	act(message.FQDN, message.Value)
}
