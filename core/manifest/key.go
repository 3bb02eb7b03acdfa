package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MarkerKey is the key of the object that makes a prefix a repository.
const MarkerKey = "holdfast.json"

// Folder is the second element of every key but the marker's.
type Folder string

// The folders of a set.
const (
	Intents   Folder = "intents"
	Archives  Folder = "archives"
	Manifests Folder = "manifests"
	Expired   Folder = "expired"
	Verdicts  Folder = "verdicts"
	Damaged   Folder = "damaged"
	Pins      Folder = "pins"
	Drills    Folder = "drills"
)

// Prefix is what the keys of a set's folder begin with.
func Prefix(set string, f Folder) string { return set + "/" + string(f) + "/" }

// IntentKey names the object that announces a create in progress.
func IntentKey(set string, id ID) string { return Prefix(set, Intents) + string(id) }

// ManifestKey names the ballot: a manifest, or the tombstone of a create that was revoked.
func ManifestKey(set string, id ID) string { return Prefix(set, Manifests) + string(id) + ".json" }

// ArchivePrefix is what the keys of all volumes and indexes of one snapshot begin with.
func ArchivePrefix(set string, id ID) string { return Prefix(set, Archives) + string(id) + "/" }

// VolumeKey names the nth volume of a component's archive.
func VolumeKey(set string, id ID, component string, n int, sealed bool) string {
	return fmt.Sprintf("%s%s-%05d.zst%s", ArchivePrefix(set, id), component, n, suffix(sealed))
}

// IndexKey names a component's index, full or a patch.
func IndexKey(set string, id ID, component string, sealed bool) string {
	return ArchivePrefix(set, id) + component + ".index.zst" + suffix(sealed)
}

// BaseKey names the full index that the patch at IndexKey rests on, where both were stored under one id:
// a copied snapshot's. A create leaves the base where it is, at the IndexKey of the snapshot that wrote it.
func BaseKey(set string, id ID, component string, sealed bool) string {
	return ArchivePrefix(set, id) + component + ".base.zst" + suffix(sealed)
}

// ExpiredKey names retention's nth soft mark on a snapshot; n counts from 1.
func ExpiredKey(set string, id ID, n int) string {
	return Prefix(set, Expired) + string(id) + "." + strconv.Itoa(n)
}

// VerdictKey names what was decided of that mark.
func VerdictKey(set string, id ID, n int) string {
	return Prefix(set, Verdicts) + string(id) + "." + strconv.Itoa(n)
}

// DamagedKey names the mark on an object below archives/<id>/ that failed its hash twice; file is
// the object's last key element.
func DamagedKey(set string, id ID, file string) string {
	return Prefix(set, Damaged) + string(id) + "." + file
}

// PinKey names a hold on a snapshot; rand is 8 hex digits.
func PinKey(set string, id ID, rand string) string {
	return Prefix(set, Pins) + string(id) + "." + rand + ".json"
}

// DrillKey names the record of a drill that was begun at the moment in stamp, an ID's time part.
func DrillKey(set string, id ID, stamp string) string {
	return Prefix(set, Drills) + string(id) + "/" + stamp + ".json"
}

func suffix(sealed bool) string {
	if sealed {
		return ".age"
	}
	return ""
}

// Key is a parsed key. Fields that a folder's keys do not have are zero.
type Key struct {
	Set       string
	Folder    Folder
	ID        ID
	File      string // Archives, Damaged: the archive file's name
	Component string // Archives, Damaged
	Volume    int    // Archives, Damaged: the volume's number, or -1 for an index or a base
	Base      bool   // Archives, Damaged: it is a base (see BaseKey)
	Sealed    bool   // Archives, Damaged
	N         int    // Expired, Verdicts
	Rand      string // Pins
	Stamp     string // Drills
}

var (
	archiveForm = regexp.MustCompile(`^([a-z][a-z0-9_]{0,31})(?:-([0-9]{5})|\.index|(\.base))\.zst(\.age)?$`)
	markForm    = regexp.MustCompile(`^([^.]+)\.([1-9][0-9]{0,5})$`)
	pinForm     = regexp.MustCompile(`^([^.]+)\.([0-9a-f]{8})\.json$`)
	stampForm   = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z$`)
)

// ParseKey accepts exactly the keys that the functions above make. Whatever else a listing shows
// does not belong to a repository: it is reported and never touched. The marker is no set's key.
func ParseKey(key string) (Key, error) {
	k, ok := parseKey(key)
	if !ok {
		return Key{}, fmt.Errorf("%q is not a key of a holdfast repository", key)
	}
	return k, nil
}

func parseKey(key string) (Key, bool) {
	el := strings.Split(key, "/")
	if len(el) < 3 || len(el) > 4 || !ValidSet(el[0]) {
		return Key{}, false
	}
	k := Key{Set: el[0], Folder: Folder(el[1])}
	nested := k.Folder == Archives || k.Folder == Drills
	if nested != (len(el) == 4) {
		return Key{}, false
	}
	name, ok := el[2], true
	switch k.Folder {
	case Intents:
	case Manifests:
		name, ok = strings.CutSuffix(name, ".json")
	case Archives:
		ok = k.parseArchiveFile(el[3])
	case Damaged:
		var file string
		if name, file, ok = strings.Cut(name, "."); ok {
			ok = k.parseArchiveFile(file)
		}
	case Expired, Verdicts:
		if m := markForm.FindStringSubmatch(name); m != nil {
			name = m[1]
			k.N, _ = strconv.Atoi(m[2])
		} else {
			ok = false
		}
	case Pins:
		if m := pinForm.FindStringSubmatch(name); m != nil {
			name, k.Rand = m[1], m[2]
		} else {
			ok = false
		}
	case Drills:
		if k.Stamp, ok = strings.CutSuffix(el[3], ".json"); ok {
			ok = stampForm.MatchString(k.Stamp) && validOrigin(k.Stamp)
		}
	default:
		ok = false
	}
	if !ok {
		return Key{}, false
	}
	id, err := ParseID(name)
	if err != nil {
		return Key{}, false
	}
	k.ID = id
	return k, true
}

func (k *Key) parseArchiveFile(name string) bool {
	m := archiveForm.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	k.File, k.Component, k.Volume, k.Sealed = name, m[1], -1, m[4] != ""
	k.Base = m[3] != ""
	if m[2] != "" {
		k.Volume, _ = strconv.Atoi(m[2])
	}
	return true
}
