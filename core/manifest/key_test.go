package manifest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// build makes the key that a parsed key came from.
func build(k Key) string {
	switch k.Folder {
	case Intents:
		return IntentKey(k.Set, k.ID)
	case Manifests:
		return ManifestKey(k.Set, k.ID)
	case Archives:
		if k.Base {
			return BaseKey(k.Set, k.ID, k.Component, k.Sealed)
		}
		if k.Volume < 0 {
			return IndexKey(k.Set, k.ID, k.Component, k.Sealed)
		}
		return VolumeKey(k.Set, k.ID, k.Component, k.Volume, k.Sealed)
	case Expired:
		return ExpiredKey(k.Set, k.ID, k.N)
	case Verdicts:
		return VerdictKey(k.Set, k.ID, k.N)
	case Damaged:
		return DamagedKey(k.Set, k.ID, k.File)
	case Pins:
		return PinKey(k.Set, k.ID, k.Rand)
	case Drills:
		return DrillKey(k.Set, k.ID, k.Stamp)
	}
	return ""
}

func readKeys(t testing.TB) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("testdata/keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		verdict, quoted, _ := strings.Cut(line, " ")
		var key string
		if err := json.Unmarshal([]byte(quoted), &key); err != nil || verdict != "ok" && verdict != "no" {
			t.Fatalf("%q: %v", line, err)
		}
		keys[key] = verdict == "ok"
	}
	return keys
}

func TestKeys(t *testing.T) {
	for key, want := range readKeys(t) {
		k, err := ParseKey(key)
		if (err == nil) != want {
			t.Errorf("%q: %v", key, err)
		}
		if err == nil && build(k) != key {
			t.Errorf("%q comes back as %q", key, build(k))
		}
	}
}

func TestNewID(t *testing.T) {
	id, err := NewID(sample().CapturedAt, strings.NewReader("\x7f\x3a\x9c\x01"))
	if err != nil || id != sampleID {
		t.Fatalf("%s, %v", id, err)
	}
	if got := id.Time(); !got.Equal(sample().CapturedAt.Truncate(1e9)) {
		t.Errorf("its time is %s", got)
	}
	if _, err := NewID(sample().CapturedAt.AddDate(8000, 0, 0), strings.NewReader("\x7f\x3a\x9c\x01")); err == nil {
		t.Error("a year of five digits made an id")
	}
	if _, err := NewID(sample().CapturedAt, strings.NewReader("\x7f")); err == nil {
		t.Error("three digits of randomness were missed")
	}
}
