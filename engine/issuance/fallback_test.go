package issuance

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/report"
	"pylego/engine/testca"
)

// elsewhere listens where the CA does not look.
func elsewhere(challenge Challenge) Challenge {
	challenge.Host = "127.0.0.2"
	return challenge
}

func attempts(t *testing.T, err error) (found []string) {
	t.Helper()
	var known *fault.Error
	if !errors.As(err, &known) {
		t.Fatalf("%v", err)
	}
	for _, attempt := range known.Attempts {
		found = append(found, attempt.Challenge+" "+attempt.Identifier.Value)
	}
	return found
}

func TestTheNextTypeIsTriedWhereHTTP01CannotBeReached(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example", "b.example")
	in.Challenges = []Challenge{elsewhere(http01(ca)), tlsALPN01(ca)}
	_, seen := mustObtain(t, ca, in)
	if seen.count(report.Retrying) != 1 || seen.count(report.AttemptFailed) != 2 || seen.count(report.OrderCreated) != 2 {
		t.Errorf("%v", seen.kinds())
	}
}

func TestTheNextTypeIsTriedWhereThePortCannotBeBound(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	unbindable := http01(ca)
	unbindable.Host = "192.0.2.1"
	in.Challenges = []Challenge{unbindable, tlsALPN01(ca)}
	mustObtain(t, ca, in)
}

func TestTheErrorListsEveryAttempt(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "b.example", "a.example")
	in.Challenges = []Challenge{elsewhere(http01(ca)), elsewhere(tlsALPN01(ca))}
	_, _, err := obtain(t, in)
	want := []string{"http-01 a.example", "http-01 b.example", "tls-alpn-01 a.example", "tls-alpn-01 b.example"}
	if found := attempts(t, err); !slices.Equal(found, want) {
		t.Errorf("%v", found)
	}
	wantProblem(t, err, legoacme.ConnectionErrorType) // the preferred type's
}

func TestTheErrorListsTheFirstAttemptsOfARefusedSecondOrder(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	in.Challenges = []Challenge{elsewhere(http01(ca)), tlsALPN01(ca)}
	startProxy(t, ca, &in, func(kind string, count int, answer *http.Response) error {
		if kind == "newOrder" && count == 2 {
			return refuse(answer, 429, "rateLimited", "enough")
		}
		return nil
	})
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.RateLimitedErrorType)
	if found := attempts(t, err); !slices.Equal(found, []string{"http-01 a.example"}) {
		t.Errorf("%v", found)
	}
}

func TestOnlyAFailureOfTheTypeItselfIsTriedByAnother(t *testing.T) {
	t.Parallel()
	for kind, again := range map[string]bool{
		"connection": true, "tls": true, "unauthorized": true,
		"dns": false, "caa": false, "rejectedIdentifier": false, "rateLimited": false, "serverInternal": false,
	} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		in.Challenges = []Challenge{elsewhere(http01(ca)), tlsALPN01(ca)}
		startProxy(t, ca, &in, func(found string, _ int, answer *http.Response) error {
			if found != "authorization" {
				return nil
			}
			return rewrite(answer, func(authorization map[string]any) {
				for _, challenge := range authorization["challenges"].([]any) {
					if problem, failed := challenge.(map[string]any)["error"].(map[string]any); failed {
						problem["type"] = "urn:ietf:params:acme:error:" + kind
					}
				}
			})
		})
		_, seen, err := obtain(t, in)
		if (err == nil) != again || (seen.count(report.OrderCreated) == 2) != again {
			t.Errorf("%s: %v; %v", kind, err, seen.kinds())
		}
		if !again {
			wantProblem(t, err, "urn:ietf:params:acme:error:"+kind)
		}
	}
}

// grouped puts ways together for the names that a pattern fits.
func grouped(number int, pattern string, ways ...Challenge) []Challenge {
	for i := range ways {
		ways[i].Group, ways[i].For = number, pattern
	}
	return ways
}

func TestEachWayIsTriedOnceInTheOrderOfPreference(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	in.Challenges = []Challenge{elsewhere(http01(ca)), elsewhere(tlsALPN01(ca)), http01(ca)}
	_, seen := mustObtain(t, ca, in)
	if seen.count(report.OrderCreated) != 3 || seen.count(report.Retrying) != 2 {
		t.Errorf("%v", seen.kinds())
	}
	in = inputFor(t, ca, "b.example")
	in.Challenges = []Challenge{elsewhere(http01(ca)), elsewhere(tlsALPN01(ca)), elsewhere(http01(ca))}
	_, _, err := obtain(t, in)
	want := []string{"http-01 b.example", "tls-alpn-01 b.example", "http-01 b.example"}
	if found := attempts(t, err); !slices.Equal(found, want) {
		t.Errorf("%v", found)
	}
}

func TestTheNextWayIsThatOfTheNamesThatFailed(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	for why, challenges := range map[string][]Challenge{
		"the others keep their only one": slices.Concat(
			grouped(0, "*.out.example", tlsALPN01(ca)), grouped(1, "", elsewhere(http01(ca)), http01(ca)),
		),
		"the others keep a type that has failed here": slices.Concat(
			grouped(0, "*.out.example", http01(ca), tlsALPN01(ca)), grouped(1, "", elsewhere(http01(ca)), tlsALPN01(ca)),
		),
		"both have another": slices.Concat(
			grouped(0, "*.out.example", elsewhere(tlsALPN01(ca)), http01(ca)), grouped(1, "", elsewhere(http01(ca)), tlsALPN01(ca)),
		),
	} {
		in := inputFor(t, ca, "a.out.example", "b.in.example")
		in.Challenges = challenges
		_, seen, err := obtain(t, in)
		if err != nil || seen.count(report.OrderCreated) != 2 {
			t.Errorf("%s: %v; %v", why, err, seen.kinds())
		}
	}
}

func TestNothingMoreIsTriedWhereANameHasNoOtherWay(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.out.example", "b.in.example")
	in.Challenges = slices.Concat(
		grouped(0, "*.out.example", elsewhere(tlsALPN01(ca))), grouped(1, "", elsewhere(http01(ca)), http01(ca)),
	)
	_, seen, err := obtain(t, in)
	if err == nil || seen.count(report.OrderCreated) != 1 {
		t.Errorf("%v; %v", err, seen.kinds())
	}
}

func TestATypeThatTheCADoesNotOfferIsNamed(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "*.a.example")
	_, _, err := obtain(t, in)
	var known *fault.Error
	if !errors.As(err, &known) || known.Code != fault.ChallengeFailed {
		t.Errorf("%v", err)
	}
}
