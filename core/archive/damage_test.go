package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

// small is a store with one volume, its recipe and its stream.
func small(t *testing.T) (store, *Recipe, []byte) {
	s := store{}
	parts := []source.Part{bytesPart("", nil, slices.Concat(page(8192, "text\n"), noise(12288, "noise"), page(3000, "the end\n")), 0)}
	_, recipes := snapshot(t, s, parts)
	return s, recipes[0], streamOf(parts)
}

// TestDamagedVolume: whatever happens to a byte of a volume, nobody gets other bytes than were stored.
func TestDamagedVolume(t *testing.T) {
	s, r, want := small(t)
	id := r.Volumes[0]
	good := s[id]
	var places []int // all of what is not noise, and some of that
	for i := range good {
		if i < 300 || i > len(good)-300 || i%499 == 0 {
			places = append(places, i)
		}
	}
	for name, damage := range map[string]func(int) []byte{
		"flipped":   func(i int) []byte { b := bytes.Clone(good); b[i] ^= 1 << (i % 8); return b },
		"zeroed":    func(i int) []byte { b := bytes.Clone(good); clear(b[i:min(i+512, len(b))]); return b },
		"truncated": func(i int) []byte { return good[:i] },
		"shifted":   func(i int) []byte { return slices.Insert(bytes.Clone(good), i, 0) },
	} {
		for n, i := range places {
			if name != "flipped" && n%7 != 0 {
				continue
			}
			s[id] = damage(i)
			if bytes.Equal(s[id], good) {
				continue
			}
			got := make(buffer, len(want))
			err := Read(t.Context(), r, ReadOptions{Open: s.open, To: got, Workers: 1})
			var bad *DamageError
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%s at %d: other bytes, and no error", name, i)
			}
			if err != nil && (!errors.As(err, &bad) || bad.Volume != id) {
				t.Fatalf("%s at %d: %v", name, i, err)
			}
			whole := func(VolumeID) (int64, [32]byte) { return int64(len(good)), sha256.Sum256(good) }
			if err := Read(t.Context(), r, ReadOptions{Open: s.open, Workers: 1, Whole: whole}); !errors.As(err, &bad) && name != "shifted" {
				t.Fatalf("%s at %d, read whole: %v", name, i, err)
			}
		}
	}
	delete(s, id)
	if err := Read(t.Context(), r, ReadOptions{Open: s.open}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("without the volume: %v", err)
	}
}

// TestDamageIsReported: with Damaged set, reading goes on and tells of each bad volume once.
func TestDamageIsReported(t *testing.T) {
	s := store{}
	stream := noise(40<<20, "volumes")
	_, recipes := snapshot(t, s, []source.Part{bytesPart("", nil, stream, 0)})
	r := recipes[0]
	if len(r.Volumes) != 2 {
		t.Fatalf("%d volumes", len(r.Volumes))
	}
	s[r.Volumes[0]] = flip(s[r.Volumes[0]], 3<<20)
	var told []VolumeID
	got := make(buffer, len(stream))
	err := Read(t.Context(), r, ReadOptions{Open: s.open, To: got, Workers: 1, Damaged: func(v VolumeID, err error) {
		told = append(told, v)
		if !strings.Contains(err.Error(), "frame at") {
			t.Errorf("the error does not name the place: %v", err)
		}
	}})
	if err != nil || !slices.Equal(told, r.Volumes[:1]) {
		t.Fatalf("told of %v: %v", told, err)
	}
	rest := r.Frames[len(r.Frames)-1]
	if tail := len(stream) - int(rest.Raw); !bytes.Equal(got[tail:], stream[tail:]) {
		t.Fatal("the good volume was not read")
	}
}

// TestOverlapIsTheIndexs: frames that overlap are no damage of the volume, and are not told as such.
func TestOverlapIsTheIndexs(t *testing.T) {
	s := store{}
	_, recipes := snapshot(t, s, []source.Part{bytesPart("", nil, noise(3<<20, "frames"), 0)})
	r := recipes[0]
	r.Frames[1].Offset -= 10
	for _, damaged := range []func(VolumeID, error){nil, func(v VolumeID, err error) { t.Errorf("volume %s: %v", v, err) }} {
		err := Read(t.Context(), r, ReadOptions{Open: s.open, Workers: 1, Damaged: damaged})
		var format *FormatError
		if !errors.As(err, &format) || format.ID != BadPlace || errors.As(err, new(*DamageError)) {
			t.Errorf("got %v", err)
		}
	}
}

// TestDamagedIndex flips, cuts and repeats bytes of the plain message: an error with an identifier, or a
// recipe; never a panic. What a flip makes of a recipe is caught by the index's hash in the manifest.
func TestDamagedIndex(t *testing.T) {
	w := vectorWriter{t, newTestEncoder(t)}
	for _, name := range []string{"index-part-good", "index-patch-good"} {
		v := readVector(t, vectorDir+"/"+name)
		plain := plainIndex(t, bytes.NewReader(v.data))
		for i := range plain {
			for _, damaged := range [][]byte{flip(plain, i), plain[:i], slices.Insert(bytes.Clone(plain), i, plain[i]), append(bytes.Clone(plain[:i]), plain[i+1:]...)} {
				v.data = w.whole(damaged)
				r, err := readIndexVector(t, v)
				var bad *FormatError
				if err == nil {
					r.Close()
				} else if !errors.As(err, &bad) {
					t.Fatalf("%s, byte %d: %v", name, i, err)
				}
			}
		}
	}
}

// TestHostileIndexAllocates: what an index claims is not allocated before it is there.
func TestHostileIndexAllocates(t *testing.T) {
	w := vectorWriter{t, newTestEncoder(t)}
	zeros := make([]byte, maxRecord)
	header := rec(fieldHeader, goodHeader())
	bombs := map[string][]byte{
		"claim":         w.whole(append(plainOf(header), 0x12, 0x80, 0x80, 0x80, 0x02)),
		"full record":   w.compress(header, record{fieldSegment, zeros}),
		"facts":         w.compress(header, record{fieldFacts, zeros}),
		"column":        w.compress(header, record{fieldSegment, append([]byte{0x0a, 0xf0, 0xff, 0xff, 0x01}, zeros[:maxRecord-16]...)}),
		"nothing":       w.whole(bytes.Repeat(zeros, 16)),
		"parts":         w.compress(slices.Repeat([]record{header}, 1000)...),
		"huge window":   {0x28, 0xb5, 0x2f, 0xfd, 0, 31 << 3, 1, 0, 0},
		"single window": append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe4}, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0),
	}
	for name, bomb := range bombs {
		const most = 48 << 20 // twice the decompressor's window, a record, the columns of a segment
		if got := allocated(func() {
			if r, err := ReadIndex(t.TempDir(), bytes.NewReader(bomb), nil, nil, Limits{ChunkSize: 4096, Size: 1 << 52}); err == nil {
				r.Close()
				t.Errorf("%s was accepted", name)
			}
		}); got > most {
			t.Errorf("%s, of %d bytes: %d bytes were allocated", name, len(bomb), got)
		}
	}
	dec, err := newFrameDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.close()
	if got := allocated(func() { dec.decode(nil, bomb(FrameRaw-1), FrameRaw-1) }); got > 8<<20 {
		t.Errorf("a frame's bomb: %d bytes were allocated", got)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// descriptors counts this process's open files.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestCancel: whoever gives up midway leaves no goroutine (TestMain looks), no file and no name behind.
func TestCancel(t *testing.T) {
	stream := noise(40<<20, "cancel")
	parts := []source.Part{bytesPart("", nil, stream, 0)}
	s := store{}
	_, recipes := snapshot(t, s, parts)
	dir := t.TempDir()
	before := descriptors(t)
	errStop := errors.New("enough")
	for _, after := range []int{1, 3, 36} {
		for name, run := range map[string]func(ctx context.Context, step func(int64)) error{
			"pack": func(ctx context.Context, step func(int64)) error {
				_, err := Pack(ctx, parts, 4096, []*Parent{nil}, PackOptions{Scratch: dir, Workers: 3, Rand: rand.Reader, Emit: s.emit, Progress: step})
				return err
			},
			"read": func(ctx context.Context, step func(int64)) error {
				return Read(ctx, recipes[0], ReadOptions{Open: s.open, Workers: 3, Progress: step})
			},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			left := make(chan struct{}, after)
			err := run(ctx, func(int64) {
				select {
				case left <- struct{}{}:
				default:
					cancel(errStop)
				}
			})
			if !errors.Is(err, errStop) && !errors.Is(err, context.Canceled) {
				t.Errorf("%s, cancelled after %d steps: %v", name, after, err)
			}
			cancel(nil)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("scratch space holds %v: %v", names, err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

// TestFailures: an error of the stream, of Emit, of the randomness, of a volume's reader and of the place
// that is restored to comes out, and nothing stays behind.
func TestFailures(t *testing.T) {
	errBroken := errors.New("broken")
	stream := noise(40<<20, "failures")
	good := bytesPart("", nil, stream, 0)
	s := store{}
	_, recipes := snapshot(t, s, []source.Part{good})
	broken := good
	broken.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(stream[:5<<20]), readerFunc(func([]byte) (int, error) { return 0, errBroken }))), nil
	}
	short := good
	short.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream[:5<<20])), nil }
	absent := good
	absent.Open = func() (io.ReadCloser, error) { return nil, errBroken }
	before := descriptors(t)
	pack := func(p source.Part, o PackOptions) error {
		o.Scratch, o.Workers = t.TempDir(), 2
		_, err := Pack(t.Context(), []source.Part{p}, 4096, []*Parent{nil}, o)
		return err
	}
	refuse := func(_ context.Context, v *Volume) error { return errors.Join(errBroken, v.Close()) }
	for name, c := range map[string]struct{ got, want error }{
		"stream":     {pack(broken, PackOptions{Rand: rand.Reader, Emit: s.emit}), errBroken},
		"short":      {pack(short, PackOptions{Rand: rand.Reader, Emit: s.emit}), io.ErrUnexpectedEOF},
		"open":       {pack(absent, PackOptions{Rand: rand.Reader, Emit: s.emit}), errBroken},
		"emit":       {pack(good, PackOptions{Rand: rand.Reader, Emit: refuse}), errBroken},
		"randomness": {pack(good, PackOptions{Rand: readerFunc(func([]byte) (int, error) { return 0, errBroken }), Emit: s.emit}), errBroken},
		"read": {Read(t.Context(), recipes[0], ReadOptions{Open: func(context.Context, VolumeID, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(readerFunc(func([]byte) (int, error) { return 0, errBroken })), nil
		}}), errBroken},
		"write": {Read(t.Context(), recipes[0], ReadOptions{Open: s.open, To: writerAtFunc(func([]byte, int64) (int, error) { return 0, errBroken })}), errBroken},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
		var bad *DamageError
		if errors.As(c.got, &bad) {
			t.Errorf("%s was taken for damage", name)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerAtFunc func([]byte, int64) (int, error)

func (f writerAtFunc) WriteAt(p []byte, off int64) (int, error) { return f(p, off) }
