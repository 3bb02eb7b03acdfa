package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
)

// VolumeSize is how many stored bytes a volume of a stream of that size holds at most: 32 MiB, or
// 1/256 of a stream of more than 8 GiB.
func VolumeSize(stream int64) int64 { return max(32<<20, stream/256) }

// VolumeID names a volume in indexes. It is drawn at random when the volume is begun, so an index
// says nothing of where its volumes lie, and a snapshot can be copied to another target as it is.
type VolumeID [8]byte

func (v VolumeID) String() string { return hex.EncodeToString(v[:]) }

// ParseVolumeID reads what String returns.
func ParseVolumeID(s string) (v VolumeID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(v) || s != hex.EncodeToString(b) {
		return v, fmt.Errorf("%q is not a volume id", s)
	}
	copy(v[:], b)
	return v, nil
}

// Volume is a finished volume in scratch space.
type Volume struct {
	ID     VolumeID
	N      int   // counts from 0 in its archive
	Size   int64 // bytes, as stored
	Raw    int64 // bytes of its chunks
	SHA256 [sha256.Size]byte
	file   *os.File
}

// ReadAt implements io.ReaderAt over the stored bytes.
func (v *Volume) ReadAt(p []byte, off int64) (int, error) { return v.file.ReadAt(p, off) }

// Close gives the volume's scratch space back.
func (v *Volume) Close() error { return v.file.Close() }

// volumeWriter appends frames to volumes.
type volumeWriter struct {
	scratch string
	rand    io.Reader
	most    int64
	open    *Volume
	hash    hash.Hash
	count   int
}

// place is where a frame came to lie.
type place struct {
	volume VolumeID
	offset int64
	stored int
}

// append writes a frame that holds raw bytes of chunks. When the open volume has no room left it is
// finished and returned.
func (w *volumeWriter) append(frame []byte, raw int) (p place, full *Volume, err error) {
	if w.open != nil && w.open.Size+int64(len(frame)) > w.most {
		full = w.finish()
	}
	if w.open == nil {
		if err := w.begin(); err != nil {
			return place{}, full, err
		}
	}
	p = place{w.open.ID, w.open.Size, len(frame)}
	if _, err := w.open.file.Write(frame); err != nil {
		return place{}, full, fmt.Errorf("write a volume to staging: %w", err)
	}
	w.hash.Write(frame)
	w.open.Size += int64(len(frame))
	w.open.Raw += int64(raw)
	return p, full, nil
}

func (w *volumeWriter) begin() error {
	f, err := scratchFile(w.scratch, "volume")
	if err != nil {
		return err
	}
	w.open, w.hash = &Volume{N: w.count, file: f}, sha256.New()
	w.count++
	if _, err := io.ReadFull(w.rand, w.open.ID[:]); err != nil {
		return fmt.Errorf("draw a volume id: %w", err)
	}
	return nil
}

// finish returns the open volume, or nil when there is none.
func (w *volumeWriter) finish() *Volume {
	v := w.open
	if v != nil {
		w.hash.Sum(v.SHA256[:0])
	}
	w.open = nil
	return v
}

// scratchFile makes a file without a name in dir: whatever happens, its space comes back when the
// process ends.
func scratchFile(dir, what string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "."+what+"-*")
	if err != nil {
		return nil, fmt.Errorf("make a scratch file for a %s: %w", what, err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make a scratch file for a %s: %w", what, err)
	}
	return f, nil
}
