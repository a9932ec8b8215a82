package millrace

// Kept names a kind of rows that are kept for a time and then removed, with what belongs to them.
type Kept string

// The kinds of rows that grow with use, each with what goes with it.
const (
	KeptDeliveries   Kept = "deliveries"    // with their attempts and the log lines about them
	KeptEvents       Kept = "events"        // with the decisions about them
	KeptWorkflowRuns Kept = "workflow_runs" // with the results of their steps
	KeptSyncJobRuns  Kept = "sync_job_runs" // with their checkpoints and frozen pages
	KeptRunLogs      Kept = "run_logs"      // the log lines that belong to no delivery
	KeptFires        Kept = "fires"         // outcomes of the due instants of schedules
	KeptInboundHooks Kept = "inbound_hooks" // with the ids that tell a repeated request
	KeptCallLogs     Kept = "call_logs"     // outcomes of calls of the proxy API
	KeptAudit        Kept = "audit"         // who changed what
)

// KeptKinds returns all kinds in the order in which they are looked at: a delivery that waits holds its event.
func KeptKinds() []Kept {
	return []Kept{KeptDeliveries, KeptEvents, KeptWorkflowRuns, KeptSyncJobRuns, KeptRunLogs, KeptFires, KeptInboundHooks, KeptCallLogs, KeptAudit}
}
