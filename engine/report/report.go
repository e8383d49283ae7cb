// Package report carries what happens during an operation to whoever started it.
package report

// Kind names a step of an operation.
type Kind string

// The kinds of events, in the order in which an order meets them.
const (
	AccountReady   Kind = "account"
	OrderCreated   Kind = "order"
	OrderResumed   Kind = "order_resumed" // one that was begun before
	Authorization  Kind = "authorization"
	Waiting        Kind = "waiting" // in line for something that only one order may use
	Presented      Kind = "presented"
	Propagated     Kind = "propagated"
	Triggered      Kind = "triggered"
	Validated      Kind = "validated"
	Finalized      Kind = "finalized"
	Issued         Kind = "issued"
	CleanedUp      Kind = "cleaned_up"
	Retrying       Kind = "retrying"
	CleanUpFailed  Kind = "clean_up_failed" // a warning: something was left behind
	AttemptFailed  Kind = "attempt_failed"
	AccountRenewed Kind = "account_renewed" // the server had lost the account
)

// Kinds lists every kind; Python's list is checked against it.
var Kinds = []Kind{
	AccountReady, AccountRenewed, OrderCreated, OrderResumed, Authorization, Waiting, Presented,
	Propagated, Triggered, Validated, AttemptFailed, Finalized, Issued, CleanedUp, CleanUpFailed, Retrying,
}

// Event is one step. A wildcard's Identifier begins with "*.".
type Event struct {
	Kind       Kind    `json:"kind"`
	Identifier string  `json:"identifier,omitempty"`
	Challenge  string  `json:"challenge,omitempty"`
	Detail     string  `json:"detail,omitempty"`
	Wait       float64 `json:"wait,omitempty"` // seconds until the next try
	Elapsed    float64 `json:"elapsed"`        // seconds since the operation began; set by the bridge
}

// Reporter takes events; it must not block.
type Reporter func(Event)

// Discard is a Reporter for those who do not listen.
func Discard(Event) {}
