// Package testdata holds a Chroma persistence directory that was recorded from a real server, for tests and examples
// in other packages, which cannot embed a file from here.
package testdata

import _ "embed"

// Small is a zstd-compressed tar of a directory `chroma/`, recorded from Chroma 1.5.9 after a clean stop. Collections:
// atocore-chunks (1,250 vectors of 64 dimensions, cosine; 1,000 persisted, 250 in the queue), memories (32 dimensions,
// l2; 430 live of 460), fresh (40 vectors of 16 dimensions, in the queue only). Not to be changed by a caller.
//
//go:embed chroma-1.5.9-small.tar.zst
var Small []byte
