//go:build tools

// Package engine pins the Pulumi CLI and every module that it is built from; the sandbox builds it from here.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
