package dnssolver

import (
	"slices"
	"strings"
	"sync"
)

// crowds are the records of this process at names that a provider only clears as
// a whole: the last one to go clears its name for all, and nobody waits for it. A
// clean-up that waited for the others would come after its time where they never
// pause, and whoever cleared before the last would take what a CA still looks for.
type crowds struct {
	mu     sync.Mutex
	crowds map[string]*crowd
}

type crowd struct {
	there int
	left  []string // values of those who have gone
	tell  []func() // tell them that their records are gone
}

var clearedAsOne = &crowds{crowds: map[string]*crowd{}}

// crowdOf is the key of those who share a name, or "" where a provider deletes
// single records.
func crowdOf(provider, credentials, effectiveFQDN string) string {
	if !slices.Contains(clearing, provider) {
		return ""
	}
	return credentials + strings.ToLower(effectiveFQDN)
}

func (c *crowds) join(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crowds[key] == nil {
		c.crowds[key] = &crowd{}
	}
	c.crowds[key].there++
}

// leave reports whether nobody is left at the name, and then the values to be
// cleared there, those of the ones that have gone before among them. tell is for when
// that is done; the last one gets those of all.
func (c *crowds) leave(key, value string, tell []func()) (last bool, values []string, all []func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	crowd := c.crowds[key]
	crowd.there--
	crowd.left = append(crowd.left, value)
	crowd.tell = append(crowd.tell, tell...)
	if crowd.there > 0 {
		return false, nil, nil
	}
	delete(c.crowds, key)
	return true, crowd.left, crowd.tell
}
