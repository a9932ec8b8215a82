// Package trial makes up random sync job runs and says what they must deliver.
//
// A [Trial] follows from its seed alone: a job, a provider and webhooks that misbehave. What it must deliver is said by
// a model that knows what the documentation promises and nothing of the code that executes jobs.
package trial
