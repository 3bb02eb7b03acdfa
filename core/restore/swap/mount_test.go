package swap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/restore/swap"
)

const childMounts = "HOLDFAST_TEST_SWAP_MOUNTS"

// inMounts runs the test again in a child process that may mount, in a mount namespace of its own, and
// reports whether this process is that child. Where the kernel does not allow that, it says so.
func inMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childMounts) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childMounts+"=1")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	if out, err := cmd.CombinedOutput(); errors.Is(err, fs.ErrPermission) || strings.Contains(string(out), cannotMount) {
		t.Logf("NO REAL MOUNTS: this system does not let tests mount (%v); the methods are tested with a hook only", err)
	} else if err != nil {
		t.Errorf("%v: %s", err, out)
	} else {
		t.Logf("%s", out)
	}
	return false
}

const cannotMount = "a test cannot mount"

func mount(source, target, kind string, flags uintptr, data string) {
	err := unix.Mount(source, target, kind, flags, data)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		panic(cannotMount)
	}
	must(err)
}

// mountedWorld has a Chroma volume, and a registry and a database that are bind mounts.
func mountedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(scratch(t))
	old := contents(w.look("data/chroma"))
	mount("tmpfs", w.path("data/chroma"), "tmpfs", 0, "mode=700")
	w.write(old)
	must(os.Mkdir(w.path("elsewhere"), 0o700))
	targets := []string{"data/chroma"}
	for _, rel := range []string{"data/registry.json", "data/db/app.db"} {
		source := w.path(filepath.Join("elsewhere", filepath.Base(rel)))
		b, err := os.ReadFile(w.path(rel))
		must(err)
		must(os.WriteFile(source, b, 0o600))
		must(os.WriteFile(w.path(rel), []byte("below the mount"), 0o600))
		mount(source, w.path(rel), "", unix.MS_BIND, "")
		targets = append(targets, rel)
	}
	t.Cleanup(func() {
		for _, rel := range targets {
			must(unix.Unmount(w.path(rel), unix.MNT_DETACH))
		}
	})
	return w
}

// Real mount points: the method is found without a hook, and killed anywhere a restore and an undo end as before or after.
func TestMounts(t *testing.T) {
	if !inMounts(t) {
		return
	}
	w := mountedWorld(t)
	before := w.live()
	s, err := w.prepare()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s", s.Method("registry"), s.Method("db"), s.Method("chroma"))
	if err := s.Abandon(); got != "overwrite overwrite entries" || err != nil {
		t.Fatal(got, err)
	}
	// A plain rename is what the methods are for.
	if err := os.Rename(w.path("data/registry.json"), w.path("data/moved")); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a bind mount can be renamed: %v", err)
	}
	if _, err := w.restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.undo(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.live()); diff != "" {
		t.Error(diff)
	}

	stride := 13
	if long {
		stride = 1
	}
	for _, o := range operations(func() *world { return mountedWorld(t) }) {
		if o.name != "restore" && o.name != "undo" {
			continue
		}
		w := o.make()
		before, beforeLive := w.look("."), w.live()
		points := w.points(t, o.run(w))
		after, afterLive := w.look("."), w.live()
		ends := map[bool]int{}
		for k := 0; k < len(points); k += stride {
			w := o.make()
			w.killAt(k)
			_, at, _ := w.attempt(o.run(w))
			w.half(t, at, beforeLive, afterLive)
			if _, err := w.recover(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
				t.Fatalf("%s killed at %s: %v", o.name, at, err)
			}
			ends[maps.Equal(w.ended(t, at, before, after), after)]++
		}
		t.Logf("%s on real mounts: %d points, new: %v", o.name, len(points), ends)
	}
}

// A bind mount of a directory on the same file system has another mount and the same device.
func TestBindMount(t *testing.T) {
	if !inMounts(t) {
		return
	}
	w := newWorld(scratch(t))
	mount(w.path("data/chroma"), w.path("data/chroma"), "", unix.MS_BIND, "")
	defer func() { must(unix.Unmount(w.path("data/chroma"), unix.MNT_DETACH)) }()
	s, err := w.prepare()
	if err != nil {
		t.Fatal(err)
	}
	w.stage(s)
	if m := s.Method("chroma"); m != swap.Entries {
		t.Error(m)
	}
	if out, err := s.Run(t.Context()); err != nil || out.Live != swap.New {
		t.Error(out, err)
	}
	if kept := contents(w.look("data/chroma"))["data/chroma/lost+found/kept"]; kept == "" {
		t.Error("lost+found was moved")
	}
	// Something that is mounted deeper would move along.
	mount("tmpfs", w.path("data/chroma/bb"), "tmpfs", 0, "")
	defer func() { must(unix.Unmount(w.path("data/chroma/bb"), unix.MNT_DETACH)) }()
	if _, err := w.prepare(); !errors.Is(err, swap.ErrUnsuitable) {
		t.Error(err)
	}
}

// A disk on which so many inodes or blocks are free and no more, from none to enough: all is old, or all is new.
func TestDiskFull(t *testing.T) {
	if !inMounts(t) {
		return
	}
	for _, kind := range []string{"inodes", "blocks"} {
		for _, mounts := range [][]string{nil, {"data/chroma", "data/registry.json", "data/db/app.db"}} {
			ends := map[string]int{}
			for free := 0; ends["new"] == 0; free++ {
				if free > 60 {
					t.Fatal("there is never enough")
				}
				w := diskFull(t, kind, free, mounts, ends)
				must(unix.Unmount(w.root, unix.MNT_DETACH))
			}
			t.Logf("%s, mounted %v: %v", kind, mounts, ends)
			if ends["old"]+ends["untouched"] == 0 {
				t.Error("there was always enough")
			}
		}
	}
}

func diskFull(t *testing.T, kind string, free int, mounts []string, ends map[string]int) *world {
	t.Helper()
	root := scratch(t)
	mount("tmpfs", root, "tmpfs", 0, "size=1m,nr_inodes=200,mode=700")
	w := newWorld(root, mounts...)
	before := w.live()
	s, err := w.prepare()
	if err != nil {
		t.Fatal(err)
	}
	w.stage(s)
	unfill := w.fill(kind, free)
	out, err := s.Run(t.Context())
	if err != nil {
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("%s, %d free: %v", kind, free, err)
		}
		if aerr := s.Abandon(); aerr != nil && !errors.Is(aerr, swap.ErrUnfinished) {
			t.Fatal(aerr)
		}
	}
	said := "untouched"
	if out != nil {
		said = string(out.Live)
	}
	ends[said]++
	unfill()
	if _, err := w.recover(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
		t.Fatalf("%s, %d free: %v", kind, free, err)
	}
	live := w.live()
	if isOld := maps.Equal(before, live); isOld == (said == "new") || !isOld && contents(live)["data/db/app.db"] != staged["db"][""] {
		t.Fatalf("%s, %d free, said %s: %s", kind, free, said, cmp.Diff(before, live))
	}
	if left := slices.Collect(maps.Keys(w.look("."))); said != "new" && strings.Contains(strings.Join(left, " "), ".holdfast-") {
		t.Fatalf("%s, %d free, said %s: left %v", kind, free, said, left)
	}
	return w
}

// fill leaves so many inodes or blocks free and returns what ends that.
func (w *world) fill(kind string, free int) (unfill func()) {
	var st unix.Statfs_t
	must(unix.Statfs(w.root, &st))
	dir := w.path("filler")
	must(os.Mkdir(dir, 0o700))
	if kind == "blocks" {
		must(unix.Statfs(w.root, &st))
		must(os.WriteFile(filepath.Join(dir, "f"), make([]byte, (int(st.Bavail)-free)*int(st.Bsize)), 0o600))
	} else {
		must(unix.Statfs(w.root, &st))
		for i := range int(st.Ffree) - free {
			must(os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600))
		}
	}
	return func() { must(os.RemoveAll(dir)) }
}

// A directory of an overlay's lower layer cannot be renamed, although it is no mount point: everything is put back.
func TestOverlay(t *testing.T) {
	if !inMounts(t) {
		return
	}
	w := newWorld(scratch(t))
	must(os.Rename(w.path("data"), w.path("lower")))
	must(os.Mkdir(w.path("layers"), 0o700))
	mount("tmpfs", w.path("layers"), "tmpfs", 0, "mode=700")
	for _, dir := range []string{"data", "layers/upper", "layers/work"} {
		must(os.Mkdir(w.path(dir), 0o700))
	}
	mount("overlay", w.path("data"), "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=off", w.path("lower"), w.path("layers/upper"), w.path("layers/work")))
	t.Cleanup(func() {
		must(unix.Unmount(w.path("data"), unix.MNT_DETACH))
		must(unix.Unmount(w.path("layers"), unix.MNT_DETACH))
	})
	before := w.live()
	out, err := w.restore()
	if out == nil || out.Live != swap.Old || !errors.Is(err, swap.ErrUnsuitable) || !errors.Is(err, unix.EXDEV) {
		t.Fatalf("%+v, %v", out, err)
	}
	if diff := cmp.Diff(before, w.live()); diff != "" {
		t.Error(diff)
	}
	if _, err := w.restore(w.items()[:2]...); err != nil { // files can
		t.Fatal(err)
	}
}
