package main

import (
	"os"
	"path/filepath"
	"runtime/pprof"
)

func startProfile(dir, name string) (func(), error) {
	f, err := os.Create(filepath.Join(dir, name+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
