package acme

import (
	"context"
	"encoding/json"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// RenewalInfo asks when a certificate should be renewed, and when to ask again
// (RFC 9773 section 4). It needs no account.
func (s *Server) RenewalInfo(ctx context.Context, id string) (*legoacme.RenewalInfo, time.Duration, error) {
	if s.Directory.RenewalInfo == "" {
		return nil, 0, fault.New(fault.InvalidArguments, "%s does not offer renewal information (RFC 9773)", s.URL)
	}
	url := s.Directory.RenewalInfo + "/" + id
	response, err := retried(ctx, func() (*transport.Response, error) { return s.get(ctx, url) })
	if err != nil {
		return nil, 0, err
	}
	var info legoacme.RenewalInfo
	if err := json.Unmarshal(response.Body, &info); err != nil || !info.SuggestedWindow.End.After(info.SuggestedWindow.Start) {
		return nil, 0, fault.New(fault.CertificateObtainFailed, "%s answered with something that is no renewal information", url)
	}
	return &info, response.RetryAfter(), nil
}
