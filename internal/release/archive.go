package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// entry is a file of an archive.
type entry struct {
	name, path string
	mode       int64
}

// archive writes a compressed archive with one directory, in which the entries stand in their order. Owners and times are the
// same on every machine.
func (r *release) archive(name string, entries []entry) error {
	file, err := os.Create(filepath.Join(r.out, name+".tar.gz"))
	if err != nil {
		return err
	}
	packed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w := tar.NewWriter(packed)
	err = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: r.time, Format: tar.FormatUSTAR})
	for _, e := range entries {
		if err == nil {
			err = r.add(w, name, e)
		}
	}
	return errors.Join(err, w.Close(), packed.Close(), file.Close())
}

func (r *release) add(w *tar.Writer, dir string, e entry) error {
	file, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: dir + "/" + e.name, Mode: e.mode, Size: info.Size(), ModTime: r.time, Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	_, err = io.Copy(w, file)
	return err
}
