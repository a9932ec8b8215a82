// Package telemetry is what an operator's tools see: metrics for Prometheus. Counters are of this process and start at zero with it;
// figures of rows are read from the database and are the same on every node. No label has values without bound, and none names an
// environment.
package telemetry
