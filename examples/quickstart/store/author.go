package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// epoch is when everything generated begins; a fixed moment, so that the bytes depend on the seed alone.
var epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// author writes what people and language models would have written. Words are drawn by Zipf's law from a vocabulary
// of made-up words, which gives zstd about what English prose gives it.
type author struct {
	bytes *rand.ChaCha8
	*rand.Rand
	words []string
	zipf  *rand.Zipf
	now   time.Time
}

func newAuthor(seed uint64, purpose string) *author {
	bytes := stream(seed, purpose)
	r := rand.New(bytes)
	// The vocabulary is that of the store, whoever writes in it later.
	words := vocabulary(rand.New(stream(0, "vocabulary")), 16_000)
	return &author{bytes: bytes, Rand: r, words: words, zipf: rand.NewZipf(r, 1.08, 4, uint64(len(words)-1)), now: epoch}
}

func vocabulary(r *rand.Rand, n int) []string {
	onsets := strings.Fields("b c ch d f g h j k l m n p pl r s sh st t th tr v w")
	nuclei := strings.Fields("a e i o u a e i o ai ea oo")
	codas := strings.Fields("- - - - - - - - l m n n nd r r s s st t")
	seen := make(map[string]bool, n)
	words := make([]string, 0, n)
	for len(words) < n {
		var b strings.Builder
		for range 1 + min(len(words)/400, 1) + r.IntN(2) { // frequent words are short
			b.WriteString(onsets[r.IntN(len(onsets))])
			b.WriteString(nuclei[r.IntN(len(nuclei))])
			b.WriteString(strings.Trim(codas[r.IntN(len(codas))], "-"))
		}
		if w := b.String(); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

func (a *author) word() string { return a.words[a.zipf.Uint64()] }

// text returns sentences of at least n bytes together.
func (a *author) text(n int) string {
	var b strings.Builder
	b.Grow(n + 120)
	for b.Len() < n {
		for i, words := 0, 6+a.IntN(14); i < words; i++ {
			w := a.word()
			if i == 0 {
				w = strings.ToUpper(w[:1]) + w[1:]
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(w)
			if i%7 == 6 && i < words-1 {
				b.WriteByte(',')
			}
		}
		b.WriteString(". ")
	}
	return strings.TrimSuffix(b.String(), " ")
}

func (a *author) between(low, high int) int { return low + a.IntN(high-low) }

// uuid returns a random (version 4) UUID.
func (a *author) uuid() string {
	b := a.blob(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (a *author) blob(n int) []byte {
	b := make([]byte, n)
	_, _ = a.bytes.Read(b) // never fails
	return b
}

func (a *author) digest() string { return hex.EncodeToString(a.blob(32)) }

// stamp returns a moment a little after the one before it.
func (a *author) stamp() string {
	a.now = a.now.Add(time.Duration(a.between(1, 90_000)) * time.Millisecond)
	return a.now.Format("2006-01-02T15:04:05.000Z")
}

// metadata is the JSON that goes with a row.
func (a *author) metadata() string {
	return fmt.Sprintf(`{"source":"%s/%s.md","tags":["%s","%s"],"confidence":0.%02d,"reviewed":%t,"hits":%d}`,
		a.word(), a.word(), a.word(), a.word(), a.IntN(100), a.IntN(3) == 0, a.IntN(500))
}

type project struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Aliases     []string `json:"aliases"`
	Description string   `json:"description"`
	Roots       []string `json:"ingest_roots"`
}

func (a *author) projects(n int) []project {
	list := make([]project, n)
	for i := range list {
		name := a.word() + "-" + a.word()
		list[i] = project{
			ID: a.uuid(), Name: name, Aliases: []string{a.word()}, Description: a.text(120), Roots: []string{"vault/" + name},
		}
	}
	return list
}

func writeRegistry(path string, projects []project) error {
	b, err := json.MarshalIndent(map[string]any{"version": 1, "projects": projects}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
