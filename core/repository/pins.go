package repository

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// ErrMarked: an expiry mark stands on the snapshot and was not answered with keep.
var ErrMarked = errors.New("marked as expired")

// Pin is a hold on a snapshot.
type Pin struct {
	ID    manifest.ID
	Key   string
	Note  manifest.Note // the zero value when Doubt is not nil
	Doubt error         // why its body is no note: the pin then holds without end
}

// Holds reports whether the pin has no end, or one that lies ahead of one of those moments.
func (p Pin) Holds(at ...time.Time) bool {
	if p.Note.Until == nil {
		return true
	}
	for _, t := range at {
		if p.Note.Until.After(t) {
			return true
		}
	}
	return false
}

// Pins are the pins of a set, by snapshot.
type Pins map[manifest.ID][]Pin

// Held reports whether a pin holds the snapshot. Clocks differ: with several moments, it is held when it is held at
// any of them.
func (p Pins) Held(id manifest.ID, at ...time.Time) bool {
	for _, pin := range p[id] {
		if pin.Holds(at...) {
			return true
		}
	}
	return false
}

// Pins lists the pins of a set and reads them. One that is no note, or is gone since the listing, is
// listed with its Doubt.
func (r *Repository) Pins(ctx context.Context, set string) (Pins, error) {
	return r.pins(ctx, set, "")
}

// pins reads those of the one snapshot, or of all when id is "".
func (r *Repository) pins(ctx context.Context, set string, id manifest.ID) (Pins, error) {
	prefix := manifest.Prefix(set, manifest.Pins)
	if id != "" {
		prefix += string(id) + "."
	}
	objects, err := r.Store.ListAll(ctx, prefix)
	if err != nil {
		return nil, err
	}
	pins := Pins{}
	for _, o := range objects {
		k, err := manifest.ParseKey(o.Key)
		if err != nil {
			continue
		}
		pin := Pin{ID: k.ID, Key: o.Key}
		b, err := r.Store.GetBytes(ctx, o.Key, manifest.MaxNoteBytes)
		if err != nil && !lost(err) {
			return nil, err
		}
		if err == nil {
			pin.Note, err = manifest.DecodeNote(b)
		}
		if err == nil && pin.Note.ID != k.ID {
			err = fmt.Errorf("it speaks of snapshot %s", pin.Note.ID)
		}
		if err != nil {
			pin.Note, pin.Doubt = manifest.Note{}, fmt.Errorf("target %s: %s: %w", r.Store.Name(), o.Key, err)
		}
		pins[k.ID] = append(pins[k.ID], pin)
	}
	return pins, nil
}

// Pin holds a snapshot that exists: no sweep touches it while the pin is there, and until note.Until, if
// that is set. The error Is ErrMarked when an expiry mark was first, and then nothing is held.
func (r *Repository) Pin(ctx context.Context, set string, id manifest.ID, note manifest.Note, rand io.Reader) (Pin, error) {
	if _, err := r.Load(ctx, set, id); err != nil {
		return Pin{}, err
	}
	pin, err := r.putPin(ctx, set, id, note, rand)
	if err != nil {
		return Pin{}, err
	}
	// Whoever marks the snapshot lists pins after the marks that it saw: either it sees this pin, or
	// its mark is seen here.
	marks, err := r.marks(ctx, set, id)
	var standing Standing
	if err == nil {
		standing, err = marks.Standing(ctx, id)
	}
	if err == nil && standing != Usable {
		err = fmt.Errorf("target %s: snapshot %s is %w", r.Store.Name(), id, ErrMarked)
	}
	if err != nil {
		return Pin{}, errors.Join(err, r.dropPin(ctx, pin))
	}
	return pin, nil
}

// Unpin deletes every pin on a snapshot and returns how many there were.
func (r *Repository) Unpin(ctx context.Context, set string, id manifest.ID) (int, error) {
	prefix := manifest.Prefix(set, manifest.Pins) + string(id) + "."
	objects, err := r.Store.ListAll(ctx, prefix)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, o := range objects {
		if _, err := manifest.ParseKey(o.Key); err != nil {
			continue
		}
		if err := r.Store.Delete(ctx, o.Key); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (r *Repository) putPin(ctx context.Context, set string, id manifest.ID, note manifest.Note, rand io.Reader) (Pin, error) {
	var digits [4]byte
	if _, err := io.ReadFull(rand, digits[:]); err != nil {
		return Pin{}, fmt.Errorf("draw the name of a pin: %w", err)
	}
	note.Format, note.ID = manifest.Format, id
	b, err := note.Encode()
	if err != nil {
		return Pin{}, err
	}
	pin := Pin{ID: id, Key: manifest.PinKey(set, id, hex.EncodeToString(digits[:])), Note: note}
	if _, err := r.Store.PutBytes(ctx, pin.Key, b, target.PutOptions{}); err != nil {
		return Pin{}, err
	}
	return pin, nil
}

// dropPin deletes a pin that must not be taken for a hold, also when ctx has ended.
func (r *Repository) dropPin(ctx context.Context, pin Pin) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if err := r.Store.Delete(ctx, pin.Key); err != nil {
		return fmt.Errorf("the pin %s is left behind, holdfast unpin %s removes it: %w", pin.Key, pin.ID, err)
	}
	return nil
}
