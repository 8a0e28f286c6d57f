package main

import "runtime/debug"

// release is set by the linker: make build.
var release string

// version returns the release, or what the toolchain knows of the build.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
