package account

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-acme/lego/v5/registration/zerossl"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/transport"
)

// zeroSSL makes external accounts at ZeroSSL, which gives one to whoever asks: by
// the access key of its shop, or by an e-mail address alone. That is what lego does
// for this CA where no external account is given.
type zeroSSL struct {
	api       string
	accessKey string
	email     string
}

const zeroSSLAPI = "https://api.zerossl.com/acme/"

// bind asks for an external account.
func (z zeroSSL) bind(ctx context.Context, client *transport.Client) (*acme.Binding, error) {
	address, form := z.api+"eab-credentials-email", url.Values{"email": {z.email}}
	switch {
	case z.accessKey != "":
		address, form = z.api+"eab-credentials?"+url.Values{"access_key": {z.accessKey}}.Encode(), nil
	case z.email == "":
		return nil, fault.New(fault.AccountRegistrationFailed, "ZeroSSL wants an external account: give eab, an e-mail address, or %s in the environment", zerossl.EnvZeroSSLAccessKey)
	}
	response, err := client.PostForm(ctx, address, form)
	if err != nil { // its text has the address, and with it the key
		return nil, fault.New(fault.CodeOf(err, fault.NetworkError), "ZeroSSL did not give an external account: %s", z.hidden(err.Error()))
	}
	var said zerossl.APIResponse
	if err := json.Unmarshal(response.Body, &said); err != nil || response.Status != http.StatusOK {
		return nil, z.refused(response.Status, said.Error)
	}
	if !said.Success {
		return nil, z.refused(response.Status, said.Error)
	}
	return (&Binding{KeyID: said.Kid, HMAC: said.HmacKey}).check()
}

func (z zeroSSL) refused(status int, detail *zerossl.ErrorDetail) error {
	words := "it does not say why"
	if detail != nil {
		words = z.hidden(detail.Error())
	}
	return fault.New(fault.AccountRegistrationFailed, "ZeroSSL did not give an external account (HTTP %d): %s", status, words)
}

func (z zeroSSL) hidden(text string) string {
	if z.accessKey == "" {
		return text
	}
	return strings.NewReplacer(z.accessKey, "...", url.QueryEscape(z.accessKey), "...").Replace(text)
}
