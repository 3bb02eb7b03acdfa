package backup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/validate"
)

// Targets whose parents hold the same stream share volumes, byte for byte, under keys of their own.
func TestGroupShares(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	for range 3 {
		r := w.Good()
		a, b := r.Targets[0].Manifest.Component("db"), r.Targets[1].Manifest.Component("db")
		for i := range a.Volumes {
			if a.Volumes[i].ID != b.Volumes[i].ID || a.Volumes[i].SHA256 != b.Volumes[i].SHA256 {
				t.Errorf("volumes %+v and %+v", a.Volumes[i], b.Volumes[i])
			}
		}
		if len(a.Volumes) != len(b.Volumes) || a.Index[0].SHA256 != b.Index[0].SHA256 || r.Targets[0].Manifest.ID == r.Targets[1].Manifest.ID {
			t.Errorf("%+v and %+v", a, b)
		}
		w.Touch("100")
	}
}

// A component that the last snapshots lack finds its parent behind them, also a whole day behind.
func TestComponentLeftOut(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	full := w.Good().Targets[0].Manifest
	for range 23 {
		components := w.Components
		w.Components = components[:2]
		w.Good()
		w.Components = components
	}
	w.Touch("100")
	r := w.Good().Targets[0]
	if r.Stored["chroma"] != 0 || r.Manifest.Component("chroma").Index[0].Key != full.Component("chroma").Index[0].Key {
		t.Errorf("%d bytes of an unchanged component were stored again", r.Stored["chroma"])
	}
	if r.Manifest.Parent <= full.ID {
		t.Errorf("parent %s: that of the database is newer", r.Manifest.Parent)
	}
	if rep := w.Validate(0, validate.Content, r.Manifest.ID); rep.Damaged() || rep.Inconclusive() {
		t.Errorf("%+v", rep)
	}
}

// A parent whose index is of no use is passed over for the one before it.
func TestParentIndex(t *testing.T) {
	for how, change := range map[string]func([]byte) []byte{
		"flipped": backuptest.Flip, "missing": func([]byte) []byte { return nil }, "truncated": func(b []byte) []byte { return b[1:] },
	} {
		w := backuptest.New(t, "nas")
		first := w.Good().Targets[0].Manifest
		w.Touch("100")
		second := w.Good().Targets[0].Manifest
		w.Damage(0, second.Component("db").Index[0].Key, change)
		w.Exec("DELETE FROM items WHERE id = 7")
		r := w.Good().Targets[0]
		index := r.Manifest.Component("db").Index
		if index[len(index)-1].Key != first.Component("db").Index[0].Key {
			t.Errorf("%s: index %+v rests on another than the older parent's", how, index)
		}
		if all := r.Manifest.Component("db").Size; r.Stored["db"] == 0 || r.Stored["db"] > all/2 {
			t.Errorf("%s: %d of %d bytes were stored", how, r.Stored["db"], all)
		}
		if noted := strings.Contains(strings.Join(r.Notes, " "), "cannot serve as parent"); noted != (how == "flipped") {
			t.Errorf("%s: notes %q", how, r.Notes)
		}
		if got := w.Rows(0, r.Manifest); got != backuptest.Rows-1 {
			t.Errorf("%s: %d rows", how, got)
		}
	}
}

// However many indexes are damaged, a create does not read them all on the way to a parent.
func TestManyBadIndexes(t *testing.T) {
	w := backuptest.New(t, "nas")
	for range 11 {
		w.Touch("2") // of which an index of its own is made each time, and no patch
		if index := w.Good().Targets[0].Manifest.Component("db").Index; len(index) != 1 {
			t.Fatalf("the index of a component that changed all over is a patch: %+v", index)
		}
	}
	for _, key := range w.Keys(0, "/db.index.zst") {
		w.Damage(0, key, backuptest.Flip)
	}
	r := w.Good().Targets[0]
	if len(r.Notes) != 8 || r.Stored["db"] != r.Manifest.Component("db").Size {
		t.Errorf("%d bytes stored, notes %q", r.Stored["db"], r.Notes)
	}
}

// With another page size no chunk fits: the component begins anew.
func TestPageSize(t *testing.T) {
	w := backuptest.New(t, "nas")
	if c := w.Good().Targets[0].Manifest.Component("db"); c.ChunkSize != 4096 {
		t.Fatalf("chunk size %d", c.ChunkSize)
	}
	w.DB.SetMaxOpenConns(1) // the pragmas belong to a connection
	w.Exec("PRAGMA journal_mode=DELETE")
	w.Exec("PRAGMA page_size=8192")
	w.Exec("VACUUM")
	r := w.Good().Targets[0]
	if c := r.Manifest.Component("db"); c.ChunkSize != 8192 || len(c.Index) != 1 || r.Stored["db"] != c.Size {
		t.Errorf("%+v, stored %d", c, r.Stored["db"])
	}
	if got := w.Rows(0, r.Manifest); got != backuptest.Rows {
		t.Errorf("%d rows", got)
	}
	w.Touch("500")
	if r = w.Good().Targets[0]; r.Stored["db"] > r.Manifest.Component("db").Size/2 {
		t.Errorf("%d bytes stored after it", r.Stored["db"])
	}
}

// A sealed manifest, and one that retention has marked, are no parents.
func TestNoParent(t *testing.T) {
	for _, how := range []string{"sealed", "expiring"} {
		w := backuptest.New(t, "nas")
		old := w.Good().Targets[0].Manifest
		w.Touch("100")
		last := w.Good().Targets[0].Manifest
		if how == "sealed" {
			m := *last
			m.Encryption = &manifest.Encryption{Scheme: "age", Recipients: []string{"age1x"}}
			m.Components = slices.Clone(m.Components)
			for i := range m.Components {
				c := &m.Components[i]
				c.SHA256, c.Facts = "", nil
				c.Index, c.Volumes = slices.Clone(c.Index), slices.Clone(c.Volumes)
				for j := range c.Index {
					b, _ := w.Mem["nas"].Bytes(c.Index[j].Key)
					c.Index[j].Key += ".age"
					w.Mem["nas"].Set(c.Index[j].Key, b)
					c.Index[j].PlainSHA256 = c.Index[j].SHA256
				}
				for j := range c.Volumes {
					c.Volumes[j].Key += ".age"
				}
			}
			b, err := manifest.Encode(&m)
			if err != nil {
				t.Fatal(err)
			}
			w.Mem["nas"].Set(manifest.ManifestKey(backuptest.Set, m.ID), b)
		} else {
			w.Mem["nas"].Set(manifest.ExpiredKey(backuptest.Set, last.ID, 1), []byte("x"))
		}
		r := w.Good().Targets[0]
		if r.Manifest.Parent != old.ID {
			t.Errorf("%s: parent %s, want %s", how, r.Manifest.Parent, old.ID)
		}
		for _, v := range r.Manifest.Component("db").Volumes {
			if strings.Contains(v.Key, string(last.ID)) {
				t.Errorf("%s: leans on %s", how, v.Key)
			}
		}
	}
}

// Along a chain of snapshots that each change a twentieth, old volumes die, and every restore is right.
func TestChain(t *testing.T) {
	w := backuptest.New(t, "nas")
	first := w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
	died := -1
	for n := range 30 {
		from := n % 20 * backuptest.Rows / 20
		w.Exec(fmt.Sprintf("UPDATE items SET body = hex(randomblob(300)) WHERE id > %d AND id <= %d", from, from+backuptest.Rows/20))
		m := w.Good().Targets[0].Manifest
		if died < 0 && !slices.ContainsFunc(m.Component("db").Volumes, func(v manifest.Volume) bool { return v.Key == first }) {
			died = n
		}
		if got := len(m.Component("db").Volumes); got > 20 {
			t.Errorf("snapshot %d leans on %d volumes", n, got)
		}
		if n%10 != 9 {
			continue
		}
		w.DB.SetMaxOpenConns(1) // ATTACH belongs to a connection
		w.Exec("ATTACH 'file:" + w.Restore(0, m) + "/db?immutable=1' AS restored")
		var differ int
		if err := w.DB.QueryRow("SELECT count(*) FROM (SELECT * FROM items EXCEPT SELECT * FROM restored.items)").Scan(&differ); err != nil || differ != 0 {
			t.Errorf("snapshot %d: %d rows differ, %v", n, differ, err)
		}
		w.Exec("DETACH restored")
	}
	if died < 8 || died > 16 { // when half of it is dead the rest is stored again
		t.Errorf("the first volume was given up in snapshot %d", died)
	}
	if r := w.Validate(0, validate.Data); r.Damaged() || r.Inconclusive() || len(r.Snapshots) != 31 {
		t.Errorf("%+v", r)
	}
}

// Facts of thousands of tables make a large manifest, and that is all.
func TestBigManifest(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.DB.SetMaxOpenConns(1) // so does a transaction to a connection
	w.Exec("BEGIN")
	for n := range 2000 {
		w.Exec(fmt.Sprintf("CREATE TABLE table_with_a_rather_long_name_%08d(x)", n))
	}
	w.Exec("COMMIT")
	for range 2 {
		m := w.Good().Targets[0].Manifest
		if got := len(m.Component("db").Facts.SQLite.Rows); got != 2001 {
			t.Errorf("%d tables", got)
		}
	}
	w.Exec("DROP TABLE table_with_a_rather_long_name_00000000")
	if r := w.Made(); r.Grade != manifest.Suspect || !strings.Contains(r.Reasons[0].Message, "00000000") {
		t.Errorf("%s, %+v", r.Grade, r.Reasons)
	}
}

// Whoever asks for it finds in the manifest what the command line said.
func TestRecorded(t *testing.T) {
	w := backuptest.New(t, "nas")
	r, err := w.Create(func(o *backup.Options) { o.Tags = []string{"release=1.2", "manual"} })
	if err != nil {
		t.Fatal(err)
	}
	m := r.Targets[0].Manifest
	if !m.CapturedAt.Equal(w.Now) || !r.CapturedAt.Equal(w.Now) || !m.ID.Time().Equal(w.Now) || m.Host != "test" || m.Tool != "holdfast test" ||
		!slices.Equal(m.Tags, []string{"release=1.2", "manual"}) || m.Sequence != 1 || m.Parent != "" {
		t.Errorf("%+v", m)
	}
	var kindsSeen []manifest.Kind
	for i, c := range r.Components {
		kindsSeen = append(kindsSeen, c.Kind)
		if c.Size != m.Components[i].Size || c.Size == 0 || c.Held.Milliseconds() != m.Components[i].FrozenMS || len(c.Checks) == 0 {
			t.Errorf("%+v beside %+v", c, m.Components[i])
		}
	}
	if want := []manifest.Kind{w.Components[0].Kind, w.Components[1].Kind}; !slices.Equal(kindsSeen, want) {
		t.Errorf("kinds %v, want %v", kindsSeen, want)
	}
}
