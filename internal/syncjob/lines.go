package syncjob

import (
	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// unsent returns the log line that takes the place of an output which no webhook gets. Records leave no line.
func unsent(out evaluate.Output) []*millrace.RunLog {
	if out.Event == millrace.EventRunRecord {
		return nil
	}
	line := out.Line
	if line == nil && out.Event != millrace.EventRunRecordError {
		line = &millrace.RunLog{Level: millrace.LogInfo, Message: "no webhook was notified"}
	}
	if line == nil {
		return nil
	}
	line.Event = out.Event
	return []*millrace.RunLog{line}
}

// complete fills in what all lines of a freeze have in common. They are a microsecond apart, so that they keep their order.
func (s *slice) complete(lines []*millrace.RunLog) {
	now := s.r.now()
	for i, line := range lines {
		line.ID = millrace.NewID[millrace.RunLogID]()
		line.EnvironmentID, line.SyncJobRunID = s.run.EnvironmentID, s.run.ID
		line.CreatedAt = now + millrace.Time(i)
	}
}
