package testca

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"pylego/engine/fault"
)

// caaIdentity is what a CAA or dns-persist-01 record has to name: Pebble's default.
const caaIdentity = "pebble.letsencrypt.org"

// pebble is Pebble put together as its own main does it, without its listeners.
type pebble struct {
	ca         *ca.CAImpl
	acme       *ledger
	management http.Handler
}

func newPebble(cfg Config, resolver string) (built *pebble, err error) {
	// Pebble panics where the system gives it no random numbers.
	defer func() {
		if reason := recover(); reason != nil {
			built, err = nil, fault.New(fault.EngineError, "Pebble could not be built: %v", reason)
		}
	}()

	logger := log.New(debugLog{"pebble"}, "", 0)
	store := db.NewMemoryStore()

	for kid, hmac := range cfg.ExternalAccounts {
		if store.AddExternalAccountKeyByID(kid, unpadded(hmac)) != nil {
			return nil, fault.New(fault.InvalidArguments, "Pebble refused the external account %q", kid)
		}
	}

	for _, name := range cfg.BlockedNames {
		if err := store.AddBlockedDomain(canonical(name)); err != nil {
			return nil, fault.Wrap(fault.InvalidArguments, err, "Pebble refused the blocked name %q", name)
		}
	}

	issuer := ca.New(logger, store, "", cfg.KeyAlgorithm, cfg.AlternateRoots, cfg.ChainLength, cfg.profiles())

	var (
		validator *va.VAImpl
		front     wfe.WebFrontEndImpl
	)

	err = withEnvironment(cfg.environment(), func() {
		validator = va.New(logger, cfg.HTTPPort, cfg.TLSPort, cfg.Strict, resolver, store)
		front = wfe.New(logger, store, validator, issuer, []string{caaIdentity}, cfg.Strict,
			len(cfg.ExternalAccounts) > 0, cfg.RetryAfterAuthz, cfg.RetryAfterOrder)
	})
	if err != nil {
		return nil, fault.Wrap(fault.EngineError, err, "the settings could not be handed to Pebble")
	}

	if cfg.AuthzReuse == 0 {
		err = neverReuse(&front)
	}

	if err = errors.Join(err, askPatiently(validator)); err != nil {
		return nil, fault.Wrap(fault.EngineError, err, "the settings could not be handed to Pebble")
	}

	guarded := &renewals{next: &lockups{next: front.Handler(), store: store}, store: store}
	orders := &ledger{next: guarded, store: store, accounts: map[string]bool{}}

	return &pebble{ca: issuer, acme: orders, management: front.ManagementHandler()}, nil
}

// neverReuse makes 0 percent mean none. Pebble uses a valid authorization again
// unless rand.Intn(100) > percent, so one in a hundred even at 0, and takes no
// negative percentage from the environment: a test would fail by chance.
func neverReuse(front *wfe.WebFrontEndImpl) error {
	field := reflect.ValueOf(front).Elem().FieldByName("authzReusePercent")
	if field.Kind() != reflect.Int {
		return errors.New("this version of Pebble keeps the percentage of authorizations used again elsewhere")
	}

	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().SetInt(-1)

	return nil
}

// validationTime is how long Pebble waits at each step of a validation.
const validationTime = 15 * time.Second

// askPatiently has Pebble wait for the DNS as long as for whoever is validated. By its
// default of two seconds a machine that is very busy would fail a test by chance.
func askPatiently(validator *va.VAImpl) error {
	field := reflect.ValueOf(validator).Elem().FieldByName("dnsClient")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*dns.Client]() || field.IsNil() {
		return errors.New("this version of Pebble keeps its DNS client elsewhere")
	}

	(*(**dns.Client)(unsafe.Pointer(field.UnsafeAddr()))).Timeout = validationTime

	return nil
}

func (cfg *Config) profiles() map[string]ca.Profile {
	if len(cfg.Profiles) == 0 {
		return map[string]ca.Profile{"default": {Description: "The default profile"}}
	}

	profiles := make(map[string]ca.Profile, len(cfg.Profiles))
	for name, profile := range cfg.Profiles {
		profiles[name] = ca.Profile{Description: profile.Description, ValidityPeriod: profile.ValiditySeconds}
	}

	return profiles
}

// chains gives the roots and, for each, the intermediates below it in PEM.
func (p *pebble) chains() (roots, intermediates []string) {
	for i := range p.ca.GetNumberOfRootCerts() {
		root := p.ca.GetRootCert(i)
		roots = append(roots, string(root.PEM()))

		var chain strings.Builder
		for cert := p.ca.GetIntermediateCert(i); cert != root; cert = issuerOf(cert) {
			chain.Write(cert.PEM())
		}

		intermediates = append(intermediates, chain.String())
	}

	return roots, intermediates
}

// issuerOf goes one up: Pebble gives every CA certificate exactly one issuer.
func issuerOf(cert *core.Certificate) *core.Certificate { return cert.IssuerChains[0][0] }

// environment has every variable that Pebble reads when it is built, so that
// what the process inherited never decides.
func (cfg *Config) environment() map[string]string {
	noSleep := "0"
	if cfg.ValidationSleep == 0 {
		noSleep = "1"
	}

	return map[string]string{
		"PEBBLE_VA_NOSLEEP":          noSleep,
		"PEBBLE_VA_SLEEPTIME":        strconv.Itoa(cfg.ValidationSleep),
		"PEBBLE_VA_ALWAYS_VALID":     "0",
		"PEBBLE_WFE_NONCEREJECT":     strconv.Itoa(cfg.NonceReject),
		"PEBBLE_AUTHZREUSE":          strconv.Itoa(cfg.AuthzReuse),
		"PEBBLE_WFE_ORDERS_PER_PAGE": "3",
	}
}

var environmentLock sync.Mutex

// withEnvironment calls build with these variables set and puts back what was
// there. The environment belongs to the whole process (and, in a program with
// cgo, also to C), but Pebble has no other seam: its constructors take these
// settings from nowhere else, and its fields are private. So they are set one
// server at a time and for the constructors only.
func withEnvironment(settings map[string]string, build func()) (err error) {
	environmentLock.Lock()
	defer environmentLock.Unlock()

	for name, value := range settings {
		old, was := os.LookupEnv(name)
		if was && old == value {
			continue
		}

		if err := os.Setenv(name, value); err != nil {
			return err
		}

		defer func() {
			if was {
				err = errors.Join(err, os.Setenv(name, old))
			} else {
				err = errors.Join(err, os.Unsetenv(name))
			}
		}()
	}

	build()

	return nil
}

// debugLog takes the lines of a *log.Logger to slog.
type debugLog struct{ source string }

func (d debugLog) Write(line []byte) (int, error) {
	if slog.Default().Enabled(context.Background(), slog.LevelDebug) {
		slog.Debug(strings.TrimRight(string(line), "\n"), "source", d.source)
	}

	return len(line), nil
}

// quietly turns a panic into an error: Pebble has a few, such as for an order
// that names the parent of a blocked name.
func quietly(call func()) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()

	call()

	return nil
}
