package archive

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The schema is not compiled into the package: this holds it to what the package writes. Every good
// index is a message of it, with no field that it does not know, and the numbers in it make sense.
func TestSchema(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(t.Context(), "index.proto")
	if err != nil {
		t.Fatal(err)
	}
	index := files[0].Messages().ByName("Index")
	checked := 0
	for _, v := range readVectors(t) {
		if !strings.HasPrefix(v.name, "index-") || v.header["expect"] != "ok" {
			continue
		}
		r, err := zstd.NewReader(bytes.NewReader(v.data))
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if _, err := raw.ReadFrom(r); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		r.Close()
		m := dynamicpb.NewMessage(index)
		if err := proto.Unmarshal(raw.Bytes(), m); err != nil {
			t.Errorf("%s is no Index of index.proto: %v", v.name, err)
			continue
		}
		unknown(t, v.name, m)
		checkColumns(t, v.name, m)
		checked++
	}
	if checked < 5 {
		t.Errorf("%d good indexes", checked)
	}
}

// unknown reports bytes that the schema has no field for.
func unknown(t *testing.T, name string, m protoreflect.Message) {
	t.Helper()
	if b := m.GetUnknown(); len(b) > 0 {
		t.Errorf("%s: %s has %d bytes that index.proto does not know", name, m.Descriptor().Name(), len(b))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				unknown(t, name, v.List().Get(i).Message())
			}
		default:
			unknown(t, name, v.Message())
		}
		return true
	})
}

// checkColumns compares columns by their names in the schema, so that no two can have changed places.
func checkColumns(t *testing.T, name string, index protoreflect.Message) {
	t.Helper()
	field := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	header, trailer := field(index, "header").Message(), field(index, "trailer").Message()
	var chunks, size uint64
	segments := field(index, "segments").List()
	for i := range segments.Len() {
		s := segments.Get(i).Message()
		for j := range field(s, "copy_count").List().Len() {
			chunks += field(s, "copy_count").List().Get(j).Uint() + field(s, "new_count").List().Get(j).Uint()
		}
		frames := field(s, "frame_raw").List()
		for j := range field(s, "length").List().Len() {
			length := field(s, "length").List().Get(j).Uint()
			frame := int(field(s, "frame").List().Get(j).Uint())
			end := field(s, "offset").List().Get(j).Uint() + length
			if frame >= frames.Len() || end > frames.Get(frame).Uint() || length > field(header, "chunk_size").Uint() {
				t.Errorf("%s: segment %d, new chunk %d: frame %d, end %d, length %d", name, i, j, frame, end, length)
			}
			size += length
		}
		if ids := len(field(s, "ids").Bytes()); ids != 32*field(s, "length").List().Len() {
			t.Errorf("%s: segment %d has %d bytes of ids", name, i, ids)
		}
	}
	full := field(header, "base_chunks").Uint() == 0
	if got := field(trailer, "chunks").Uint(); got != chunks {
		t.Errorf("%s: %d chunks, the trailer says %d", name, chunks, got)
	}
	if got := field(trailer, "size").Uint(); full && got != size {
		t.Errorf("%s: %d bytes, the trailer says %d", name, size, got)
	}
	if got := field(trailer, "parts").Uint(); got != uint64(field(index, "parts").List().Len()) {
		t.Errorf("%s: the trailer says %d parts", name, got)
	}
}
