package swap

import "time"

// Phase is how far a swap has come.
type Phase string

// Phases. None is no journal.
const (
	None      Phase = ""
	Staging   Phase = "staging"   // nothing live is touched yet
	Swapping  Phase = "swapping"  // everything staged is verified and durable; going forward
	Returning Phase = "returning" // going back
	Done      Phase = "done"      // can be undone
)

// Journal is what Options.Dir tells of the last swap.
type Journal struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Phase   Phase     `json:"phase"`
	Undo    bool      `json:"undo"` // this swap puts back what an earlier one replaced
	Started time.Time `json:"started"`
	Items   []Planned `json:"items"`
}

// Planned is an item and how it is replaced.
type Planned struct {
	Item
	Method  Method `json:"method"`
	Staging string `json:"staging"` // directory
	Kept    string `json:"kept"`    // directory
}

// Unfinished says that the swap must be recovered before anything else.
func (j *Journal) Unfinished() bool { return j.Phase != None && j.Phase != Done }
