package acme

import (
	"runtime"
	"strings"
	"testing"

	"pylego/engine/fault"
)

func TestAChainIsCertificatesAlone(t *testing.T) {
	chain, err := readChain("url", []byte("subject=/CN=a\n"+pemBlock+pemBlock+pemBlock))
	if err != nil || chain.Leaf != pemBlock || chain.Issuer != pemBlock+pemBlock {
		t.Errorf("%+v, %v", chain, err)
	}
	key := strings.ReplaceAll(pemBlock, "CERTIFICATE", "PRIVATE KEY")
	for _, body := range []string{"", "hello", key, pemBlock + key, strings.Replace(pemBlock, "AAAA", "Name: value\n\nAAAA", 1)} {
		if chain, err := readChain("url", []byte(body)); fault.CodeOf(err, "") != fault.CertificateObtainFailed {
			t.Errorf("%q: %+v, %v", body, chain, err)
		}
	}
}

// Adding each certificate to a copy of those before it took half a minute.
func TestTheLongestChainIsReadInMemoryOfItsSize(t *testing.T) {
	body := []byte(strings.Repeat(pemBlock, 4<<20/len(pemBlock)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readChain("url", body); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 100*uint64(len(body)) {
		t.Errorf("%d bytes for %d", used, len(body))
	}
}
